"""A worker waits for more tasks while it is busy, tasks come in quick succession, and none is left in the queue."""

import pytest

from tests.unit.workers.clock import Clock
from workers.gathering import GATHERING_SECONDS, Gathering

ROOM = 8


@pytest.fixture
def gathering(clock: Clock) -> Gathering:
    return Gathering(clock)


def take(gathering: Gathering, clock: Clock, interval_seconds: float, times: int = 100, together: int = 1) -> None:
    """Have tasks come at intervals."""
    for _ in range(times):
        clock.seconds += interval_seconds * together
        gathering.took(together, ROOM)


def test_busy_worker_waits_when_tasks_come_in_quick_succession(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.002)
    assert gathering.seconds(running=1) == GATHERING_SECONDS


def test_they_may_come_in_groups(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.002, together=3)
    assert gathering.seconds(running=1) == GATHERING_SECONDS


def test_idle_worker_does_not_wait(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.002)
    assert gathering.seconds(running=0) == 0


def test_nobody_waits_for_tasks_that_come_now_and_then(gathering: Gathering, clock: Clock) -> None:
    assert gathering.seconds(running=1) == 0
    take(gathering, clock, 0.01)
    assert gathering.seconds(running=1) == 0


def test_one_short_interval_is_no_quick_succession(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.01)
    take(gathering, clock, 0.0001, times=1)
    assert gathering.seconds(running=1) == 0


def test_a_pause_ends_the_succession(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.002)
    take(gathering, clock, 1.0, times=1)
    assert gathering.seconds(running=1) == 0


def test_nobody_waits_while_tasks_are_left_in_the_queue(gathering: Gathering, clock: Clock) -> None:
    take(gathering, clock, 0.002, together=ROOM)
    assert gathering.seconds(running=1) == 0
    take(gathering, clock, 0.002, times=1)
    assert gathering.seconds(running=1) == GATHERING_SECONDS
