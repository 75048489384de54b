"""A network is tried out in a process of its own: whatever it does there, the worker gets a sentence and lives on."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil
import pytest
import torch

from inference.errors import NetworkError
from store.errors import Unavailable
from store.records import Deployment, NetworkRecord
from tests.unit.workers.companion_processes import companions_for
from tests.unit.workers.hostile_networks import PREPROCESSING, Crashing, Growing, Hanging, Talking, write
from workers.load_trial import LoadTrial

ENOUGH_SECONDS = 120.0
GONE_SECONDS = 20.0
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of one network in a store of weights."""
    folder = tmp_path / "weights" / "key"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def trial(folder: Path) -> Iterator[LoadTrial]:
    """A trial that is given enough of everything."""
    with companions_for(folder.parent) as companions:
        yield LoadTrial(CPU, ENOUGH_SECONDS, ENOUGH_BYTES, companions.launcher)


def refusal_of(trial: LoadTrial, folder: Path) -> str:
    with pytest.raises(NetworkError) as caught:
        trial.run(record(), folder)
    return str(caught.value)


def test_a_good_network_passes_whatever_it_prints(trial: LoadTrial, folder: Path) -> None:
    trial.run(record(), write(Talking(), folder))


def test_a_network_that_crashes_is_refused(trial: LoadTrial, folder: Path) -> None:
    assert "crashed the process that tried it (SIG" in refusal_of(trial, write(Crashing(), folder))


def test_a_network_that_hangs_is_refused(trial: LoadTrial, folder: Path) -> None:
    trial = replace(trial, timeout_seconds=8)
    assert refusal_of(trial, write(Hanging(), folder)) == "Loading the network and running one image took over 8 s."


def test_a_network_that_grows_is_refused(trial: LoadTrial, folder: Path) -> None:
    trial = replace(trial, memory_bytes=1 << 30)
    assert "took over 1024 MiB of memory" in refusal_of(trial, write(Growing(), folder))


def test_files_that_cannot_be_loaded_are_refused_with_the_loaders_sentence(trial: LoadTrial, folder: Path) -> None:
    (folder / "model.torchscript").write_bytes(os.urandom(1000))
    assert refusal_of(trial, folder) == "The file model.torchscript is not a TorchScript archive."


def test_a_folder_outside_the_store_is_not_tried(trial: LoadTrial, tmp_path: Path) -> None:
    """Whoever has taken a worker over cannot have its launcher read other files."""
    with pytest.raises(Unavailable):
        trial.run(record(), write(Talking(), tmp_path / "elsewhere"))
    trial.run(record(), write(Talking(), tmp_path / "weights" / "other"))


def test_a_trial_ends_when_the_worker_is_gone(trial: LoadTrial, folder: Path) -> None:
    order = {"folder": str(write(Hanging(), folder)), "preprocessing": PREPROCESSING, "postprocessings": []}
    order |= {"device": "cpu", "timeout_seconds": ENOUGH_SECONDS, "memory_bytes": ENOUGH_BYTES}
    with trial.launcher.begin(orjson.dumps(order)):
        running = wait_for_trials()
    assert psutil.wait_procs(running, GONE_SECONDS)[1] == []


def wait_for_trials() -> list[psutil.Process]:
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        children = psutil.Process().children(recursive=True)
        if found := [child for child in children if child.cmdline()[-1:] == ["workers.trial_process"]]:
            return found
        time.sleep(0.05)
    raise AssertionError("No trial has begun.")
