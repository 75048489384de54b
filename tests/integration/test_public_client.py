"""The public Python client, unchanged, against a running service: what code against the hosted API does."""

import base64
import io
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from deepomatic.api.client import Client
from deepomatic.api.exceptions import ClientError, TaskError
from deepomatic.api.inputs import ImageInput
from PIL import Image, ImageDraw

from demo import IMAGES_FOLDER, LABELS, MODELS_FOLDER
from tests.service import Service

MODEL_FOLDER = MODELS_FOLDER / "shapes-v1"
MODEL = json.loads((MODEL_FOLDER / "model.json").read_text())
TOUR = Path(__file__).with_name("client_tour.py")
OLD_CLIENT = Path(sys.prefix) / "clients" / "deepomatic-api-0.9.4"


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(host=service.url, api_key=service.key)


@pytest.fixture(scope="module")
def square_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("square") / "square.png"
    image = Image.new("RGB", (300, 300), "black")
    ImageDraw.Draw(image).rectangle((70, 70, 230, 230), fill="yellow")
    image.save(path)
    return path


def create_network(client: Client):
    files = {path.name: path.open("rb") for path in MODEL_FOLDER.iterdir() if path.name != "model.json"}
    try:
        return client.Network.create(
            name="client's network",
            framework=MODEL["framework"],
            preprocessing=MODEL["preprocessing"],
            files=files,
        )
    finally:
        for file in files.values():
            file.close()


def top_label(data: dict) -> str:
    return data["outputs"][0]["labels"]["predicted"][0]["label_name"]


def test_public_specifications_are_listed_and_run(client: Client, square_file: Path) -> None:
    slugs = [spec["id"] for spec in client.RecognitionSpec.list(public=True)]
    assert {"shapes-v1", "shapes-detector-v1"} <= set(slugs)
    with square_file.open("rb") as file:
        assert top_label(client.RecognitionSpec.retrieve("shapes-v1").inference(inputs=[ImageInput(file)])) == "square"


def test_own_network_specification_and_version_from_creation_to_deletion(client: Client, square_file: Path) -> None:
    network = create_network(client)
    deployment = client.Task.retrieve(network["task_id"]).wait()
    assert [tensor["name"] for tensor in deployment["data"]["outputs"]] == ["output"]

    spec = client.RecognitionSpec.create(name="client's specification", metadata={"by": "me"}, outputs=MODEL["outputs"])
    assert spec["current_version_id"] is None
    version = client.RecognitionVersion.create(
        spec_id=spec.pk, network_id=network.pk, post_processings=MODEL["post_processings"]
    )
    assert client.RecognitionSpec.retrieve(spec.pk)["current_version_id"] == version.pk
    assert [each.pk for each in spec.versions()] == [version.pk]

    content = square_file.read_bytes()
    with square_file.open("rb") as file:
        sources = [
            ImageInput(file),
            ImageInput(content, encoding="binary"),
            ImageInput(base64.b64encode(content), encoding="base64"),
        ]
        for source in sources:
            answer = spec.inference(inputs=[source], show_discarded=True, max_predictions=3)
            assert top_label(answer) == "square"
            assert len(answer["outputs"][0]["labels"]["discarded"]) == 2
    assert top_label(version.inference(inputs=[ImageInput(content, encoding="binary")])) == "square"

    spec.update(name="renamed", metadata={"by": "you"})
    assert client.RecognitionSpec.retrieve(spec.pk)["name"] == "renamed"

    version.delete()
    assert client.RecognitionSpec.retrieve(spec.pk)["current_version_id"] is None
    spec.delete()
    network.delete()
    for resource in (client.RecognitionSpec.retrieve(spec.pk), client.Network.retrieve(network.pk)):
        with pytest.raises(ClientError, match="404"):
            resource.refresh()


def take_the_tour(service: Service, image: Path, client_folder: str = "") -> str:
    """Run the tour with the client in a folder, or else the one that is installed, and return its release."""
    ended = subprocess.run(
        [sys.executable, str(TOUR), service.url, service.key, str(MODEL_FOLDER), str(image)],
        env={**os.environ, "PYTHONPATH": client_folder},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_tour_with_the_newest_release(service: Service, square_file: Path) -> None:
    assert take_the_tour(service, square_file) == version("deepomatic-api")


@pytest.mark.skipif(not OLD_CLIENT.exists(), reason="scripts/install-old-client has not installed deepomatic-api 0.9.4")
def test_tour_with_an_old_release(service: Service, square_file: Path) -> None:
    assert take_the_tour(service, square_file, str(OLD_CLIENT)) == "0.9.4"


def test_many_tasks_are_listed_and_awaited_at_once(client: Client) -> None:
    spec = client.RecognitionSpec.retrieve("shapes-v1")
    images = sorted(IMAGES_FOLDER.iterdir())
    tasks = [
        spec.inference(
            inputs=[ImageInput(images[turn % len(images)].read_bytes(), encoding="binary")],
            return_task=True,
            wait_task=False,
        )
        for turn in range(12)
    ]
    pending, success, error = client.Task.batch_wait(tasks)
    assert (len(pending), len(success), len(error)) == (0, 12, 0)
    assert [position for position, _ in success] == list(range(12))
    listed = list(client.Task.list([task.pk for task in tasks]))
    assert [task.pk for task in listed] == [task.pk for task in tasks]
    assert {task["status"] for task in listed} == {"success"}


def test_raw_tensors_come_as_arrays(client: Client, square_file: Path) -> None:
    network = client.Network.retrieve("shapes-v1")
    tensors = network.inference(inputs=[ImageInput(square_file.read_bytes(), encoding="binary")])
    assert tensors["output"].shape == (1, len(LABELS))
    assert tensors["output"].argmax() == LABELS.index("square")


def test_bad_image_raises_the_tasks_error(client: Client) -> None:
    spec = client.RecognitionSpec.retrieve("shapes-v1")
    with pytest.raises(TaskError) as caught:
        spec.inference(inputs=[ImageInput(b"no image", encoding="binary")])
    assert caught.value.task["error"].startswith("inputs.0.image: ")


def test_url_is_fetched_by_the_worker(client: Client) -> None:
    spec = client.RecognitionSpec.retrieve("shapes-v1")
    with pytest.raises(TaskError, match=r"inputs\.0\.image"):
        spec.inference(inputs=[ImageInput("http://127.0.0.1:1/nothing.jpg")])


def test_wrong_key_is_told(service: Service) -> None:
    with pytest.raises(ClientError, match="401"):
        Client(host=service.url, api_key="wrong").Account.retrieve("me").data()


def test_account_tells_who_asks(client: Client) -> None:
    account = client.Account.retrieve("me")
    assert (account["name"], account["role"]) == ("default", "admin")


def test_image_in_another_format_is_recognised(client: Client, square_file: Path) -> None:
    buffer = io.BytesIO()
    Image.open(square_file).convert("P").save(buffer, "GIF")
    spec = client.RecognitionSpec.retrieve("shapes-v1")
    assert top_label(spec.inference(inputs=[ImageInput(buffer.getvalue(), encoding="binary")])) == "square"
