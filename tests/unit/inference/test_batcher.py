"""Continuous batching: who shares a batch, in which order, and what one bad sample does to the others."""

import threading
from collections.abc import Iterator, Sequence

import pytest
import torch

from inference.batcher import Batcher, Sample, Tensors
from inference.errors import NetworkError


class Doubler:
    """A network that doubles its input, remembers its batches, and can be held up, poisoned or starved of memory."""

    def __init__(self, *, poison: float | None = None, fits: int = 1000) -> None:
        self.batches: list[list[float]] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.started = threading.Event()
        self._poison = poison
        self._fits = fits

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        self.started.set()
        assert self.may_run.wait(10)
        values = [float(sample[0].flatten()[0]) for sample in samples]
        self.batches.append(values)
        if len(samples) > self._fits:
            raise torch.OutOfMemoryError("too much")
        if self._poison in values:
            raise NetworkError("This sample is poison.")
        return [{"output": sample[0] * 2} for sample in samples]


def sample(value: float, width: int = 1) -> Sample:
    return (torch.full((width,), value),)


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
    futures = [batcher.submit(network, sample(value), max_batch_size=1) for value in range(3)]
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
