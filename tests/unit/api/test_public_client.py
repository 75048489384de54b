"""The public Python client and the published curl commands work as they are, over a real socket."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deepomatic.api.client import Client
from deepomatic.api.exceptions import ClientError
from deepomatic.api.inputs import ImageInput
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from api.services import Services
from tests.unit.api.callers import JPEG, LABELS, PREPROCESSING, ZIP, Caller, output


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def client(app: Flask, admin: Caller) -> Iterator[Any]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    opened = Client(api_key=admin.key, host=f"http://127.0.0.1:{server.server_port}")
    yield opened
    opened.http_helper.session.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def network(client: Any, tmp_path: Path) -> Any:
    file = tmp_path / "model.pt2"
    file.write_bytes(ZIP)
    return client.Network.create(
        name="My first network",
        framework="pytorch-2.x",
        preprocessing=PREPROCESSING,
        metadata={"author": "me"},
        files={"model.pt2": str(file)},
    )


@pytest.fixture
def version(client: Any, network: Any) -> Any:
    spec = client.RecognitionSpec.create(
        name="hot-dog VS not hot-dog classifier",
        description="My great hot-dog VS not hot-dog classifier !",
        metadata={"author": "me", "project": "my secret project"},
        outputs=[output()],
    )
    return client.RecognitionVersion.create(
        spec_id=spec.pk,
        network_id=network.pk,
        post_processings=[{"classification": {"output_tensor": "output", "thresholds": [0.5, 0.5]}}],
    )


def inputs_of(services: Services, task: Any) -> tuple[dict[str, Any], list[bytes]]:
    claimed = services.ledger.claim(task.pk, "test", 60.0, 3)
    assert claimed is not None
    return dict(claimed.request), list(claimed.inputs)


def test_client_creates_a_network(network: Any) -> None:
    data = network.data()
    assert data["preprocessing"]["inputs"][0]["image"]["pixel_scaling"] == 1.0
    assert data["preprocessing"]["batched_output"] is True
    assert data["metadata"] == {"author": "me"}
    network.update(name="new name")
    assert network["name"] == "new name"
    network.update(replace=True, name="n", description="d", metadata={"a": True})
    assert network["metadata"] == {"a": True}
    network.delete()
    with pytest.raises(ClientError):
        network.refresh()


def test_client_reads_lists_and_pages(client: Any, version: Any) -> None:
    spec = client.RecognitionSpec.retrieve(version["spec_id"])
    assert spec["current_version_id"] == version.pk
    assert spec["outputs"][0]["labels"]["labels"] == LABELS
    assert [found.pk for found in spec.versions()] == [version.pk]
    every = client.RecognitionSpec.list(limit=1)
    assert len(list(every)) == every.count()
    assert isinstance(list(client.RecognitionSpec.list(public=True)), list)
    spec.update(name="new name", current_version_id=version.pk)
    assert spec["name"] == "new name"


@pytest.mark.parametrize("kind", ["file", "binary", "base64"])
def test_client_sends_images(client: Any, services: Services, version: Any, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "img.jpg"
    path.write_bytes(JPEG)
    with path.open("rb") as file:
        source = {
            "file": lambda: ImageInput(file),
            "binary": lambda: ImageInput(JPEG, encoding="binary"),
            "base64": lambda: ImageInput(base64.b64encode(JPEG), encoding="base64"),
        }[kind]()
        task = version.inference(
            inputs=[source], show_discarded=True, max_predictions=50, return_task=True, wait_task=False
        )
    request, inputs = inputs_of(services, task)
    assert inputs == [JPEG]
    assert (request["show_discarded"], request["max_predictions"]) == (True, 50)
    assert request["inputs"][0]["crop_uniform_background"] is False


def test_client_sends_urls(client: Any, services: Services, version: Any) -> None:
    spec = client.RecognitionSpec.retrieve(version["spec_id"])
    image = ImageInput("https://example.com/a.jpg", bbox={"xmin": 0.1, "ymin": 0.1, "xmax": 0.9, "ymax": 0.9})
    task = spec.inference(inputs=[image], return_task=True, wait_task=False)
    request, inputs = inputs_of(services, task)
    assert inputs == []
    assert request["inputs"][0]["bbox"] == {"xmin": 0.1, "ymin": 0.1, "xmax": 0.9, "ymax": 0.9}


def test_client_mixes_files_and_urls(client: Any, services: Services, network: Any, version: Any) -> None:
    images = [ImageInput(JPEG, encoding="binary"), ImageInput("https://example.com/a.jpg")]
    with pytest.raises(ClientError) as caught:
        version.inference(inputs=images, return_task=True, wait_task=False)
    assert caught.value.json()["errors"] == {"inputs": ["The network has 1 inputs, 2 were given."]}


def test_client_waits_for_several_tasks(client: Any, services: Services, version: Any) -> None:
    tasks = [
        version.inference(inputs=[ImageInput("https://example.com/a.jpg")], return_task=True, wait_task=False)
        for _ in range(3)
    ]
    listed = client.Task.list([task.pk for task in tasks])
    assert [task.pk for task in listed] == [task.pk for task in tasks]
    assert {task["status"] for task in listed} == {"pending"}
    assert client.Task.batch_wait([]) == ([], [], [])
