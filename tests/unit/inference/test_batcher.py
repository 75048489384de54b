"""Continuous batching: who shares a batch, in which order, and what one bad sample does to the others."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
import torch

from inference.batch_plan import CAREFUL, BatchPlan
from inference.batcher import Batcher
from inference.errors import NetworkError
from inference.lanes import Lanes
from inference.waiting import BatchRun, Sample, Tensors, WaitingSamples
from tests.unit.inference.doubler import Doubler, sample


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    batcher = Batcher(max_batch_size=4)
    yield batcher
    batcher.close()


def test_lone_sample_runs_alone(batcher: Batcher) -> None:
    network = Doubler()
    result = batcher.submit(network, sample(3)).result(10)
    assert result["output"].tolist() == [6]
    assert network.batches == [[3]]


def test_samples_that_wait_for_the_device_share_batches_oldest_first(batcher: Batcher) -> None:
    network = Doubler()
    network.may_run.clear()
    first = batcher.submit(network, sample(0))
    assert network.started.wait(10)
    rest = [batcher.submit(network, sample(value)) for value in range(1, 7)]
    network.may_run.set()
    assert [future.result(10)["output"].item() for future in [first, *rest]] == [0, 2, 4, 6, 8, 10, 12]
    assert network.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_samples_of_different_shapes_never_share_a_batch(batcher: Batcher) -> None:
    network = Doubler()
    network.may_run.clear()
    futures = [batcher.submit(network, sample(value, width)) for value, width in [(0, 1), (1, 1), (2, 2), (3, 1)]]
    network.may_run.set()
    assert [future.result(10)["output"].shape[0] for future in futures] == [1, 1, 2, 1]
    assert [2] in network.batches


def test_networks_take_turns_by_their_oldest_sample(batcher: Batcher) -> None:
    busy, other = Doubler(), Doubler()
    busy.may_run.clear()
    first = batcher.submit(busy, sample(0))
    assert busy.started.wait(10)
    waiting_other = batcher.submit(other, sample(1))
    waiting_busy = [batcher.submit(busy, sample(value)) for value in (2, 3)]
    order: list[str] = []
    waiting_other.add_done_callback(lambda _: order.append("other"))
    waiting_busy[0].add_done_callback(lambda _: order.append("busy"))
    busy.may_run.set()
    for future in (first, waiting_other, *waiting_busy):
        future.result(10)
    assert order == ["other", "busy"]


def test_network_limit_is_kept(batcher: Batcher) -> None:
    network = Doubler()
    network.may_run.clear()
    futures = [batcher.submit(network, sample(value), BatchPlan(max_batch_size=1)) for value in range(3)]
    network.may_run.set()
    for future in futures:
        future.result(10)
    assert network.batches == [[0], [1], [2]]


def test_bad_sample_fails_alone(batcher: Batcher) -> None:
    network = Doubler(poison=3)
    network.may_run.clear()
    batcher.submit(network, sample(0))
    assert network.started.wait(10)
    futures = {value: batcher.submit(network, sample(value)) for value in range(1, 5)}
    network.may_run.set()
    with pytest.raises(NetworkError, match="poison"):
        futures[3].result(10)
    assert [futures[value].result(10)["output"].item() for value in (1, 2, 4)] == [2, 4, 8]


def test_out_of_memory_halves_the_batch_and_is_remembered(batcher: Batcher) -> None:
    network = Doubler(fits=2)
    network.may_run.clear()
    futures = [batcher.submit(network, sample(0))]
    assert network.started.wait(10)
    futures += [batcher.submit(network, sample(value)) for value in range(1, 9)]
    network.may_run.set()
    assert [future.result(10)["output"].item() for future in futures] == [2 * value for value in range(9)]
    assert network.batches[1:] == [[1, 2, 3, 4], [1, 2], [3, 4], [5, 6], [7, 8]]


def test_sample_that_never_fits_is_its_own_error(batcher: Batcher) -> None:
    with pytest.raises(NetworkError, match="not enough memory"):
        batcher.submit(Doubler(fits=0), sample(1)).result(10)


def test_what_waits_is_finished_before_closing() -> None:
    batcher = Batcher(max_batch_size=4)
    network = Doubler()
    futures = [batcher.submit(network, sample(value)) for value in range(9)]
    batcher.close()
    assert all(future.done() for future in futures)
    with pytest.raises(NetworkError, match="stopping"):
        batcher.submit(network, sample(1))


def test_time_of_the_running_batch_is_known(batcher: Batcher) -> None:
    network = Doubler()
    assert batcher.busy_seconds() == 0
    network.may_run.clear()
    future = batcher.submit(network, sample(1))
    assert network.started.wait(10)
    assert batcher.busy_seconds() > 0
    network.may_run.set()
    future.result(10)


SIDE_BY_SIDE = BatchPlan(side_by_side=True)


@pytest.fixture
def ran() -> list[BatchRun]:
    """The batches that the lanes have run."""
    return []


@pytest.fixture
def lanes(ran: list[BatchRun]) -> Iterator[Batcher]:
    """A batcher with two lanes, which share four cores."""
    before = torch.get_num_threads()
    batcher = Batcher(4, lambda _, run: ran.append(run), Lanes(count=2, cores=4))
    yield batcher
    batcher.close()
    torch.set_num_threads(before)


class Meeting(Doubler):
    """A network whose batches wait for each other, so that they end only if as many run at once."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self._all_there = threading.Barrier(parties, timeout=10)

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        self._all_there.wait()
        return super().run(samples)


def test_batches_of_one_network_run_side_by_side(lanes: Batcher) -> None:
    network = Meeting(2)
    futures = [lanes.submit(network, sample(value), SIDE_BY_SIDE) for value in range(2)]
    assert [future.result(10)["output"].item() for future in futures] == [0, 2]


def test_what_waits_is_shared_out_among_free_lanes() -> None:
    waiting = WaitingSamples()
    network = Doubler()
    for value in range(5):
        waiting.add(network, sample(value), SIDE_BY_SIDE)
    assert [len(waiting.take(lambda _: 4, [network], free)[0]) for free in (2, 1)] == [3, 2]


def test_network_that_may_not_runs_one_batch_at_a_time_and_holds_up_no_other(lanes: Batcher) -> None:
    careful, other = Doubler(), Doubler()
    careful.may_run.clear()
    first = lanes.submit(careful, sample(0))
    assert careful.started.wait(10)
    second = lanes.submit(careful, sample(1))
    assert lanes.submit(other, sample(2), SIDE_BY_SIDE).result(10)["output"].item() == 4
    assert not second.done()
    assert careful.batches == []
    careful.may_run.set()
    assert [future.result(10)["output"].item() for future in (first, second)] == [0, 2]
    assert careful.batches == [[0], [1]]


def wait_until_idle(lanes: Batcher) -> None:
    """Wait until the lanes are free, which is a moment after the results are there."""
    deadline = time.monotonic() + 10
    while lanes.busy_seconds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_batches_share_the_cores(lanes: Batcher, ran: list[BatchRun]) -> None:
    network = Doubler()
    plans = (CAREFUL, BatchPlan(side_by_side=True, threads=1), BatchPlan(side_by_side=True, threads=4))
    for number, plan in enumerate(plans):
        lanes.submit(network, sample(number), plan).result(10)
        wait_until_idle(lanes)
    network.may_run.clear()
    network.started.clear()
    held_up = lanes.submit(network, sample(3), SIDE_BY_SIDE)
    assert network.started.wait(10)
    beside = lanes.submit(network, sample(4), SIDE_BY_SIDE)
    network.may_run.set()
    held_up.result(10)
    beside.result(10)
    lanes.close()  # after that, all have been told
    assert network.threads == [4, 1, 4, 4, 2]
    assert sorted(run.share for run in ran) == [0.25, 0.5, 1.0, 1.0, 1.0]


def test_lanes_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 32)
    assert Lanes.of(torch.device("cpu")) == Lanes(count=8, cores=32)
    assert Lanes.of(torch.device("cuda:0")) == Lanes(count=1, cores=None)
