"""What code against the hosted API does with the public client, from a network's creation to its deletion.

A program and not a test, so that it can run beside any release of the client:
``python client_tour.py URL KEY MODEL_FOLDER IMAGE``, with the model's ``model.json`` and an image of a square. It ends
with an error at the first thing that is not as expected, and prints the release.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from deepomatic.api.client import Client
from deepomatic.api.exceptions import BadStatus, TaskError
from deepomatic.api.inputs import ImageInput
from deepomatic.api.version import __version__


def raises(kind: type[Exception], call: Any) -> Exception:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected.")


def top_label(answer: dict[str, Any]) -> str:
    label: str = answer["outputs"][0]["labels"]["predicted"][0]["label_name"]
    return label


def create_network(client: Any, folder: Path, model: dict[str, Any]) -> Any:
    files = {path.name: path.open("rb") for path in folder.iterdir() if path.name != "model.json"}
    network = client.Network.create(
        name="tour",
        framework=model["framework"],
        preprocessing=model["preprocessing"],
        metadata={"author": "me"},
        files=files,
    )
    for file in files.values():
        file.close()
    assert network["metadata"] == {"author": "me"}
    assert network["preprocessing"]["inputs"][0]["tensor_name"] == model["preprocessing"]["inputs"][0]["tensor_name"]
    deployed = client.Task.retrieve(network["task_id"]).wait()
    assert [tensor["name"] for tensor in deployed["data"]["outputs"]] == ["output"]
    return network


def edit(client: Any, network: Any, spec: Any, version: Any) -> None:
    network.update(description="edited")
    assert client.Network.retrieve(network.pk)["description"] == "edited"
    spec.update(name="renamed", metadata={"by": "me"}, current_version_id=version.pk)
    spec.refresh()
    assert (spec["name"], spec["metadata"], spec["current_version_id"]) == ("renamed", {"by": "me"}, version.pk)
    assert spec.pk in [each.pk for each in client.RecognitionSpec.list(limit=1)]
    assert [each.pk for each in spec.versions()] == [version.pk]
    assert "shapes-v1" in [each["id"] for each in client.RecognitionSpec.list(public=True)]


def infer(client: Any, spec: Any, version: Any, image: Path) -> None:
    content = image.read_bytes()
    box = {"xmin": "0.05", "ymin": "0.05", "xmax": "0.95", "ymax": "0.95"}  # the client sends no fractions beside bytes
    with image.open("rb") as file:
        sources = [
            ImageInput(file),
            ImageInput(content, encoding="binary"),
            ImageInput(base64.b64encode(content), encoding="base64"),
            ImageInput(base64.b64encode(content), encoding="base64", bbox=box),
        ]
        for source in sources:
            answer = spec.inference(inputs=[source], show_discarded=True, max_predictions=3)
            assert top_label(answer) == "square", answer
            assert len(answer["outputs"][0]["labels"]["discarded"]) == 2
    assert top_label(version.inference(inputs=[ImageInput(content, encoding="binary")])) == "square"
    tasks = [
        spec.inference(inputs=[ImageInput(content, encoding="binary")], return_task=True, wait_task=False)
        for _ in range(3)
    ]
    pending, success, error = client.Task.batch_wait(tasks)
    assert (len(pending), len(success), len(error)) == (0, 3, 0)
    assert [task.pk for task in client.Task.list([task.pk for task in tasks])] == [task.pk for task in tasks]


def tour(client: Any, folder: Path, image: Path) -> None:
    model = json.loads((folder / "model.json").read_text())
    network = create_network(client, folder, model)
    spec = client.RecognitionSpec.create(name="tour", outputs=model["outputs"])
    assert spec["current_version_id"] is None
    version = client.RecognitionVersion.create(
        spec_id=spec.pk, network_id=network.pk, post_processings=model["post_processings"]
    )
    edit(client, network, spec, version)
    infer(client, spec, version, image)
    tensors = network.inference(inputs=[ImageInput(image.read_bytes(), encoding="binary")])
    assert tensors["output"].shape == (1, 4)

    broken = [ImageInput(b"no image", encoding="binary")]
    failed = raises(TaskError, lambda: spec.inference(inputs=broken))
    assert "inputs.0.image" in str(failed)
    raises(BadStatus, lambda: client.RecognitionSpec.create(name="tour", outputs=[]))

    for resource in (version, spec, network):
        resource.delete()
        raises(BadStatus, resource.refresh)


if __name__ == "__main__":
    url, key, model_folder, image_path = sys.argv[1:]
    tour(Client(host=url, api_key=key), Path(model_folder), Path(image_path))
    print(__version__)
