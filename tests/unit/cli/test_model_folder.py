import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cli.downloads import WeightsSource
from cli.errors import CommandError
from cli.model_folder import missing_download, read_model_folder
from tests.unit.cli.models import MODEL, WriteModel

DOWNLOAD = {"weights": "Dogs_Weights.V1", "url": "https://example.com/dogs-0123abcd.pth", "sha256_prefix": "0123abcd"}


def changed(*path: Any, value: Any) -> dict[str, Any]:
    """Return the model with the value at ``path`` replaced."""
    model = copy.deepcopy(MODEL)
    place: Any = model
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return model


def refusal(folder: Path) -> str:
    with pytest.raises(CommandError) as caught:
        read_model_folder(folder)
    return str(caught.value)


def test_defaults_are_filled_in(write_model: WriteModel) -> None:
    model = read_model_folder(write_model())
    assert model.name == "Hot dogs"
    assert model.postprocessings == []
    assert model.preprocessing["batched_output"] is True
    assert model.preprocessing["inputs"][0]["image"]["pixel_scaling"] == 255.0
    assert model.post_processings == [
        {"classification": {"output_tensor": "output", "activation": "softmax", "thresholds": [0.025, 0.025]}}
    ]


def test_files_are_those_of_the_network_only(write_model: WriteModel) -> None:
    folder = write_model(b"PK weights")
    (folder / "README.md").write_text("how it was trained")
    model = read_model_folder(folder)
    assert model.files == ("model.pt2",)
    assert model.checksums() == {"model.pt2": hashlib.sha256(b"PK weights").hexdigest()}


def test_state_dict_brings_its_architecture_and_mean_files_along(write_model: WriteModel) -> None:
    image = {**MODEL["preprocessing"]["inputs"][0]["image"], "mean_file": "mean.npy"}
    folder = write_model(preprocessing={"inputs": [{"tensor_name": "images", "image": image}]})
    (folder / "model.pt2").rename(folder / "weights.safetensors")
    assert "has no file architecture.json" in refusal(folder)
    (folder / "architecture.json").write_text('{"builder": "resnet18"}')
    assert "has no file mean.npy" in refusal(folder)
    (folder / "mean.npy").touch()
    assert read_model_folder(folder).files == ("architecture.json", "mean.npy", "weights.safetensors")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("name",), "", "name: "),
        (("framework",), "caffe-1.x", "framework: Unsupported"),
        (("labels",), [], "labels: Unknown field."),
        (
            ("preprocessing", "inputs", 0, "image", "resize_type"),
            "STRETCH",
            "preprocessing.inputs.0.image.resize_type: ",
        ),
        (("outputs", 0, "labels", "labels", 1, "id"), 0, "outputs.0.labels.labels.1.id: Label 0 is given twice."),
        (("outputs", 0, "labels", "roi"), "BBOX", "post_processings.0: Must be detection"),
        (("post_processings",), [], "post_processings: Must have at least one element."),
        (
            ("post_processings", 0, "classification", "thresholds"),
            [0.5],
            "post_processings.0.classification.thresholds: Must have 2 numbers",
        ),
        (("download",), {**DOWNLOAD, "sha256_prefix": "abc"}, "download.sha256_prefix: "),
        (("download",), {**DOWNLOAD, "url": "ftp://example.com"}, "download.url: "),
    ],
)
def test_mistakes_are_told_by_the_path_of_the_field(
    write_model: WriteModel, path: tuple[Any, ...], value: Any, field: str
) -> None:
    folder = write_model(**changed(*path, value=value))
    message = refusal(folder)
    assert message.startswith(f"{folder}/model.json is not valid:\n")
    assert f"\n  {field}" in message


def test_folder_without_a_description_is_no_model_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is not a model folder: it has no model.json."
    assert "is not a model folder" in refusal(tmp_path / "nowhere")


def test_broken_json_is_told_with_its_place(write_model: WriteModel) -> None:
    folder = write_model()
    (folder / "model.json").write_text('{"name": }')
    assert "is not valid JSON" in refusal(folder)
    assert "line 1 column 10" in refusal(folder)


def test_folder_without_weights_is_refused(write_model: WriteModel) -> None:
    folder = write_model()
    (folder / "model.pt2").unlink()
    assert "has no weights: one of model.pt2, model.torchscript" in refusal(folder)


def test_folder_with_several_weights_is_refused(write_model: WriteModel) -> None:
    folder = write_model()
    (folder / "model.torchscript").touch()
    assert "several sets of weights, and one is wanted: model.pt2, model.torchscript" in refusal(folder)


def test_missing_weights_are_to_be_downloaded(write_model: WriteModel) -> None:
    folder = write_model(download=DOWNLOAD)
    assert missing_download(folder) is None
    (folder / "model.pt2").unlink()
    assert missing_download(folder) == WeightsSource(**DOWNLOAD)
    assert "Fetch them with: recoq publish --download" in refusal(folder)


def test_missing_weights_that_are_nowhere_to_be_found_are_an_error(write_model: WriteModel) -> None:
    folder = write_model()
    (folder / "model.pt2").unlink()
    with pytest.raises(CommandError, match="has no download to fetch them from"):
        missing_download(folder)


@pytest.mark.parametrize("name", ["imagenet-resnet50", "coco-fasterrcnn"])
def test_ready_made_folders_need_only_their_weights(name: str, tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "demo" / "models" / name
    assert missing_download(source) is not None or (source / "weights.pth").exists()
    for file in ("model.json", "architecture.json"):
        (tmp_path / file).write_bytes((source / file).read_bytes())
    (tmp_path / "weights.pth").touch()
    model = read_model_folder(tmp_path)
    assert model.files == ("architecture.json", "weights.pth")
    assert json.loads((tmp_path / "architecture.json").read_text())["builder"]
