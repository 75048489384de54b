"""A network is tried out in a process of its own: whatever it does there, the worker gets a sentence and lives on."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from inference.errors import NetworkError
from store.records import Deployment, NetworkRecord
from tests.unit.workers.hostile_networks import PREPROCESSING, Crashing, Growing, Hanging, Talking, write
from workers.load_trial import LoadTrial

ENOUGH_SECONDS = 120.0
ENOUGH_BYTES = 4 << 30
CPU = torch.device("cpu")

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


def record(deployment: Deployment | None = None) -> NetworkRecord:
    now = datetime.now(UTC)
    return NetworkRecord(
        id=1,
        slug=None,
        account_id=1,
        name="hostile",
        description="",
        metadata={},
        framework="pytorch-2.x",
        preprocessing=PREPROCESSING,
        postprocessings=[],
        weights_key="0" * 32,
        files=(),
        task_id="1",
        deployment=deployment or Deployment("pending"),
        create_date=now,
        update_date=now,
    )


def refusal_of(folder: Path, seconds: float = ENOUGH_SECONDS, memory_bytes: int = ENOUGH_BYTES) -> str:
    with pytest.raises(NetworkError) as caught:
        LoadTrial(CPU, seconds, memory_bytes).run(record(), folder)
    return str(caught.value)


def test_a_good_network_passes_whatever_it_prints(tmp_path: Path) -> None:
    LoadTrial(CPU, ENOUGH_SECONDS, ENOUGH_BYTES).run(record(), write(Talking(), tmp_path))


def test_a_network_that_crashes_is_refused(tmp_path: Path) -> None:
    assert "crashed the process that tried it (SIG" in refusal_of(write(Crashing(), tmp_path))


def test_a_network_that_hangs_is_refused(tmp_path: Path) -> None:
    assert refusal_of(write(Hanging(), tmp_path), seconds=8) == (
        "Loading the network and running one image took over 8 s."
    )


def test_a_network_that_grows_is_refused(tmp_path: Path) -> None:
    assert "took over 1024 MiB of memory" in refusal_of(write(Growing(), tmp_path), memory_bytes=1 << 30)


def test_files_that_cannot_be_loaded_are_refused_with_the_loaders_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.torchscript").write_bytes(os.urandom(1000))
    assert refusal_of(tmp_path) == "The file model.torchscript is not a TorchScript archive."
