"""Which networks a worker loads into its own process, and how: once, its first runs included, within its memory."""

import io
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from inference.batcher import Batcher
from inference.errors import NetworkError
from inference.loader import LoadedNetwork, load_network
from inference.model_cache import ModelCache
from store.errors import NotFound
from store.networks import Networks
from store.records import Deployment, NetworkRecord
from store.redis_connection import connect
from store.telemetry.telemetry import Telemetry
from store.weights import WeightStore
from tests.unit.workers.companion_processes import companions_for
from tests.unit.workers.test_load_trial import record
from workers import networks
from workers.load_trial import LoadTrial
from workers.networks import NetworkRunner
from workers.pinned import PinnedNetworks
from workers.vital_signs import VitalSigns

TOO_SHORT_SECONDS = 0.2
LOAD_SECONDS = 300.0
WAIT_SECONDS = 20
DAMAGED = b"not an archive"


@pytest.fixture
def weights(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path.as_uri(), tmp_path / "cache", 1 << 30)


@pytest.fixture
def runner(weights: WeightStore, tmp_path: Path, redis_url: str) -> Iterator[NetworkRunner]:
    """A runner whose trials nothing passes, because they are given no time."""
    batcher = Batcher(1)
    signs = VitalSigns(Telemetry(connect(redis_url)))
    with companions_for(tmp_path) as companions:
        trial = LoadTrial(torch.device("cpu"), TOO_SHORT_SECONDS, 1 << 30, companions.launcher)
        yield NetworkRunner(weights, ModelCache(1), batcher, trial, signs, load_timeout_seconds=LOAD_SECONDS)
    batcher.close()


class Registered(Networks):
    """A registry of these networks."""

    def __init__(self, records: dict[int | str, NetworkRecord]) -> None:
        self._records = records

    def get_by_id(self, network_id: int) -> NetworkRecord:
        return self._records[network_id]

    def get(self, owner: int | None, ref: int | str) -> NetworkRecord:
        if ref not in self._records:
            raise NotFound(f"There is no network {ref}.")
        return self._records[ref]


def damaged(weights: WeightStore, deployment: Deployment) -> NetworkRecord:
    key, files = weights.save([("model.torchscript", io.BytesIO(DAMAGED))], 1000)
    return replace(record(deployment), weights_key=key, files=files)


def test_a_network_whose_deployment_failed_is_not_tried_again(runner: NetworkRunner, weights: WeightStore) -> None:
    with pytest.raises(NetworkError, match=r"could not be deployed: It crashed before\."):
        runner.load(damaged(weights, Deployment("error", error="It crashed before.")))


def test_a_network_whose_deployment_has_not_ended_is_tried_out_first(
    runner: NetworkRunner, weights: WeightStore
) -> None:
    with pytest.raises(NetworkError, match=r"took over 0\.2 s"):
        runner.load(damaged(weights, Deployment("pending")))


def test_a_network_whose_deployment_succeeded_is_loaded_at_once(runner: NetworkRunner, weights: WeightStore) -> None:
    with pytest.raises(NetworkError, match="not a TorchScript archive"):
        runner.load(damaged(weights, Deployment("success", report={"max_batch_size": 1})))


def test_a_network_that_the_operator_published_is_loaded_at_once(runner: NetworkRunner, weights: WeightStore) -> None:
    public = replace(damaged(weights, Deployment("pending")), account_id=None, slug="public")
    with pytest.raises(NetworkError, match="not a TorchScript archive"):
        runner.load(public)


def good(weights: WeightStore, **changes: Any) -> NetworkRecord:
    """Return a network that was deployed, and is too large for the runner's cache to keep beside another."""
    module = torch.jit.script(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval())
    stream = io.BytesIO()
    torch.jit.save(module, stream)
    stream.seek(0)
    key, files = weights.save([("model.torchscript", stream)], 1 << 20)
    found = record(Deployment("success", report={"outputs": [{"name": "output"}], "max_batch_size": 1}))
    return replace(found, weights_key=key, files=files, **changes)


def finished(future: Future[LoadedNetwork] | None) -> LoadedNetwork:
    assert future is not None
    return future.result(WAIT_SECONDS)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_load_can_be_waited_for_without_a_thread(runner: NetworkRunner, weights: WeightStore) -> None:
    network = good(weights)
    loaded = finished(runner.loading(network))
    assert runner.loading(network) is None
    assert runner.load(network) is loaded
    assert runner.loaded() == [network.id]


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_the_first_runs_of_a_network_are_before_its_first_task(
    runner: NetworkRunner, weights: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    run = LoadedNetwork.run
    monkeypatch.setattr(LoadedNetwork, "run", lambda self, samples: runs.append(len(samples)) or run(self, samples))
    runner.load(good(weights))
    assert runs == [1, 1, 1]


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_load_for_which_memory_runs_out_is_tried_again_when_others_have_left(
    runner: NetworkRunner, weights: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = good(weights), good(weights, id=2)
    runner.load(first)

    def load_if_alone(*arguments: Any) -> LoadedNetwork:
        if runner.loaded():
            raise torch.OutOfMemoryError("too much")
        return load_network(*arguments)

    monkeypatch.setattr(networks, "load_network", load_if_alone)
    runner._cache.budget_bytes = 1 << 30
    runner.load(second)
    assert runner.loaded() == [2]


def test_a_network_that_the_device_has_no_memory_for_says_so(
    runner: NetworkRunner, weights: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> LoadedNetwork:
        raise torch.OutOfMemoryError("too much")

    monkeypatch.setattr(networks, "load_network", load)
    with pytest.raises(NetworkError, match=r"^The device has not enough memory for the network\.$"):
        runner.load(damaged(weights, Deployment("success", report={"max_batch_size": 1})))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_pinned_networks_are_loaded_at_the_start_and_stay(
    runner: NetworkRunner, weights: WeightStore, caplog: pytest.LogCaptureFixture
) -> None:
    private, public = good(weights, id=7), good(weights, id=8, account_id=None, slug="birds")
    runner._pinned = frozenset({"7", "birds"})
    PinnedNetworks(["7", "missing", "birds"], Registered({7: private, "birds": public}), runner).load()
    assert runner.loaded() == [7, 8]
    runner.load(good(weights, id=9))
    runner._cache.make_room()
    assert runner.loaded() == [7, 8]
    assert "The pinned network missing could not be loaded: There is no network missing." in caplog.text
