"""The model folders in the repository: complete, consistent, small, and as their scripts write them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torchvision.models import get_model_weights

from demo import DEMO_MODELS, IMAGES_FOLDER, LABELS, MODELS_FOLDER, describe_torchvision
from inference.loader import check_files
from inference.network import NetworkDescription
from inference.postprocess import OutputDescription

WITHOUT_WEIGHTS = ("imagenet-resnet50", "coco-fasterrcnn")
FIELDS = {"name", "description", "metadata", "framework", "preprocessing", "outputs", "post_processings"}


def read_model(name: str) -> dict[str, Any]:
    model: dict[str, Any] = json.loads((MODELS_FOLDER / name / "model.json").read_text())
    return model


def labels_of(model: dict[str, Any]) -> dict[int, str]:
    return {label["id"]: label["name"] for label in model["outputs"][0]["labels"]["labels"]}


@pytest.mark.parametrize("name", DEMO_MODELS + WITHOUT_WEIGHTS)
def test_description_is_understood_by_the_inference_library(name: str) -> None:
    model = read_model(name)
    assert set(model) - {"download"} == FIELDS
    NetworkDescription.from_json(model["preprocessing"])
    assert len(model["outputs"]) == len(model["post_processings"]) == 1
    OutputDescription.from_json(model["outputs"][0], model["post_processings"][0])


@pytest.mark.parametrize("name", DEMO_MODELS)
def test_demo_model_is_complete_and_names_the_four_shapes(name: str) -> None:
    model = read_model(name)
    files = [path.name for path in (MODELS_FOLDER / name).iterdir() if path.name != "model.json"]
    check_files(files, NetworkDescription.from_json(model["preprocessing"]))
    assert labels_of(model) == dict(enumerate(LABELS))


def test_all_weights_together_are_below_five_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODELS_FOLDER.rglob("*") if path.suffix != ".json") < 5_000_000


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_published_model_names_weights_that_torchvision_has(name: str) -> None:
    folder = MODELS_FOLDER / name
    assert {path.name for path in folder.iterdir()} == {"model.json", "architecture.json"}
    architecture, model = json.loads((folder / "architecture.json").read_text()), read_model(name)
    enum_name, _, entry = model["download"]["weights"].partition(".")
    weights = get_model_weights(architecture["builder"])
    assert weights.__name__ == enum_name
    assert model["download"]["url"] == weights[entry].url
    assert model["download"]["url"].endswith(f"-{model['download']['sha256_prefix']}.pth")
    assert architecture["kwargs"]["num_classes"] == len(weights[entry].meta["categories"])


def test_imagenet_has_a_thousand_labels_and_coco_eighty_with_its_own_numbers() -> None:
    imagenet, coco = (labels_of(read_model(name)) for name in WITHOUT_WEIGHTS)
    assert list(imagenet) == list(range(1000))
    assert (len(coco), coco[1], coco[13], coco[90]) == (80, "person", "stop sign", "toothbrush")
    assert not {"N/A", "__background__"} & set(coco.values())


def test_folders_of_published_models_are_what_the_script_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe_torchvision, "MODELS_FOLDER", tmp_path)
    describe_torchvision.main()
    written = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.json")}
    assert len(written) == 4
    assert written == {path: (MODELS_FOLDER / path).read_text() for path in written}


def test_sample_images_are_small_and_readable() -> None:
    paths = list(IMAGES_FOLDER.iterdir())
    assert len(paths) >= 2
    for path in paths:
        assert path.stat().st_size < 40_000
        with Image.open(path) as image:
            image.load()


def test_the_package_itself_needs_no_torch() -> None:
    check = "import sys, demo; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=MODELS_FOLDER.parents[1])
