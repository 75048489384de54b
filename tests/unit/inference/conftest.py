"""Files of networks that take seconds to make, made once for a test run."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.unit.inference.seeded_networks import (
    CLASSIFIER,
    CLASSIFIER_KWARGS,
    DETECTOR,
    DETECTOR_KWARGS,
    SIZE,
    WEIGHT_SETS,
    classifier,
    detector,
    write_program,
    write_script,
    write_state,
)


@pytest.fixture(scope="package", autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """Small tensors gain nothing from several threads, and lose much where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package", autouse=True)
def _garbage_is_looked_for_in_what_comes_from_now_on() -> Iterator[None]:
    """Do as a worker does: each network that leaves would take a fifth of a second otherwise."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def detector_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a seeded torchvision detector."""
    folder = tmp_path_factory.mktemp("detector")
    write_state(detector(), folder, "weights.safetensors", DETECTOR, DETECTOR_KWARGS)
    return folder


@pytest.fixture(scope="session")
def classifier_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each weight set, the folder of the same seeded classifier."""
    folders = {name: tmp_path_factory.mktemp("classifier") for name in WEIGHT_SETS}
    model = classifier()
    write_program(model, folders["model.pt2"] / "model.pt2", torch.zeros(2, 3, SIZE, SIZE))
    write_script(model, folders["model.torchscript"] / "model.torchscript")
    for name in ("weights.safetensors", "weights.pth"):
        write_state(model, folders[name], name, CLASSIFIER, CLASSIFIER_KWARGS)
    return folders
