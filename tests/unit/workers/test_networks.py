"""Which networks a worker loads into its own process: those whose deployment has succeeded, or that passed a trial."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inference.batcher import Batcher
from inference.errors import NetworkError
from inference.model_cache import ModelCache
from store.records import Deployment, NetworkRecord
from store.redis_connection import connect
from store.telemetry.telemetry import Telemetry
from store.weights import WeightStore
from tests.unit.workers.test_load_trial import record
from workers.load_trial import LoadTrial
from workers.networks import NetworkRunner
from workers.vital_signs import VitalSigns

TOO_SHORT_SECONDS = 0.2
LOAD_SECONDS = 300.0
DAMAGED = b"not an archive"


@pytest.fixture
def weights(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path.as_uri(), tmp_path / "cache", 1 << 30)


@pytest.fixture
def runner(weights: WeightStore, redis_url: str) -> Iterator[NetworkRunner]:
    """A runner whose trials nothing passes, because they are given no time."""
    batcher = Batcher(1)
    trial = LoadTrial(torch.device("cpu"), TOO_SHORT_SECONDS, 1 << 30)
    signs = VitalSigns(Telemetry(connect(redis_url)))
    yield NetworkRunner(weights, ModelCache(1), batcher, trial, signs, load_timeout_seconds=LOAD_SECONDS)
    batcher.close()


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
