"""Batches that wait for samples that are being prepared: for which, for how long, and on which devices."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from inference.batch_plan import CAREFUL, BatchPlan
from inference.batcher import Batcher
from inference.errors import ImageError
from inference.expected import Expected
from inference.lanes import Lanes
from inference.waiting import BatchRun, Waiting, WaitingSamples
from tests.unit.inference.doubler import Doubler, sample

SIDE_BY_SIDE = BatchPlan(side_by_side=True)
LONG = 60.0


def has_run(expected: Expected, network: Doubler, seconds: float) -> None:
    """Have a network known for batches that take so long."""
    expected.has_run(network, BatchRun(1, seconds))


@pytest.fixture
def network() -> Doubler:
    """A network whose batches are held for long, if at all."""
    return Doubler()


@pytest.fixture
def expected(network: Doubler) -> Expected:
    """What the batcher knows of the network from the start."""
    expected = Expected(LONG)
    has_run(expected, network, LONG)
    return expected


@pytest.fixture
def batcher(expected: Expected) -> Iterator[Batcher]:
    """A batcher with two lanes, which share two cores."""
    batcher = Batcher(4, lanes=Lanes(count=2, cores=2), expected=expected)
    yield batcher
    batcher.close()


def test_batch_waits_for_a_sample_that_is_being_prepared(batcher: Batcher, network: Doubler) -> None:
    with batcher.expecting(network):
        first = batcher.submit(network, sample(1))
        assert not network.started.wait(0.05)
        second = batcher.submit(network, sample(2))
    assert [future.result(10)["output"].item() for future in (first, second)] == [2, 4]
    assert network.batches == [[1, 2]]


def test_full_batch_waits_for_nothing(batcher: Batcher, network: Doubler) -> None:
    with batcher.expecting(network):
        futures = [batcher.submit(network, sample(value)) for value in range(4)]
        assert [future.result(10)["output"].item() for future in futures] == [0, 2, 4, 6]
    assert network.batches == [[0, 1, 2, 3]]


def test_sample_that_cannot_be_prepared_is_not_waited_for(batcher: Batcher, network: Doubler) -> None:
    with suppress(ImageError), batcher.expecting(network):
        future = batcher.submit(network, sample(1))
        assert not network.started.wait(0.05)
        raise ImageError("This is not an image.")
    assert future.result(10)["output"].item() == 2


def test_samples_of_other_networks_are_not_waited_for(batcher: Batcher, network: Doubler) -> None:
    with batcher.expecting(Doubler()):
        assert batcher.submit(network, sample(1)).result(10)["output"].item() == 2


def test_held_batch_holds_up_no_other(batcher: Batcher, network: Doubler) -> None:
    with batcher.expecting(network):
        held = batcher.submit(network, sample(1), SIDE_BY_SIDE)
        others = [batcher.submit(Doubler(), sample(value)) for value in (2, 3, 4)]
        assert [future.result(10)["output"].item() for future in others] == [4, 6, 8]
        assert not held.done()


def test_held_batch_runs_when_its_time_has_come() -> None:
    expected, network = Expected(LONG), Doubler()
    has_run(expected, network, 0.01)
    batcher = Batcher(4, lanes=Lanes(count=2, cores=2), expected=expected)
    with batcher.expecting(network):
        assert batcher.submit(network, sample(1)).result(10)["output"].item() == 2
    batcher.close()


def test_held_batch_runs_when_the_batcher_is_closed(batcher: Batcher, network: Doubler) -> None:
    with batcher.expecting(network):
        future = batcher.submit(network, sample(1))
        batcher.close()
    assert future.result(0)["output"].item() == 2


def test_device_of_its_own_never_waits(expected: Expected, network: Doubler) -> None:
    batcher = Batcher(4, lanes=Lanes(), expected=expected)
    with batcher.expecting(network):
        assert batcher.submit(network, sample(1)).result(10)["output"].item() == 2
    batcher.close()


def waiting_since(network: Doubler, since: float) -> Waiting:
    """Return a sample that waits since this time."""
    return Waiting(network, sample(1), CAREFUL, 1, since)


@pytest.mark.parametrize(
    ("batch_seconds", "held_seconds"),
    [(0.01, 0.02 - 0.005), (0.001, 0.002 - 0.005), (1.0, 0.1 - 0.005)],
    ids=["two-batches", "its-time-is-over", "at-most-a-tenth-of-a-second"],
)
def test_batches_are_held_for_as_long_as_two_take(batch_seconds: float, held_seconds: float) -> None:
    expected, network = Expected(), Doubler()
    has_run(expected, network, batch_seconds)
    expected.add(network)
    assert expected.held_seconds(waiting_since(network, 10.0), 10.005) == pytest.approx(held_seconds)


def test_batch_of_unknown_duration_is_not_held() -> None:
    expected, network = Expected(), Doubler()
    expected.add(network)
    assert expected.held_seconds(waiting_since(network, 10.0), 10.0) == 0


def test_all_that_are_being_prepared_count(expected: Expected, network: Doubler) -> None:
    expected.add(network)
    expected.add(network)
    expected.remove(network)
    assert expected.held_seconds(waiting_since(network, 10.0), 10.0) == LONG
    expected.remove(network)
    assert expected.held_seconds(waiting_since(network, 10.0), 10.0) == 0


def test_what_is_held_tells_when_it_may_run(network: Doubler) -> None:
    waiting, other = WaitingSamples(), Doubler()
    waiting.add(network, sample(1), CAREFUL)
    waiting.add(other, sample(2), CAREFUL)
    seconds = {network: 3.0, other: 2.0}
    assert waiting.take(lambda _: 4, [], 1, lambda oldest: seconds[oldest.network]) == ([], 2.0)
    seconds[other] = 0.0
    batch, again = waiting.take(lambda _: 4, [], 1, lambda oldest: seconds[oldest.network])
    assert ([each.network for each in batch], again) == ([other], None)
