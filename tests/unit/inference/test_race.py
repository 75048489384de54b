"""What is compared is timed in turns, and the least time counts."""

import time
from collections.abc import Callable
from math import inf

import pytest
import torch

from inference.errors import NetworkError
from inference.race import LEAST_TURNS, MOST_TURNS, clock_for, race


class Course:
    """Ways that take as long as the test says, by turn, and the clock that shows it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.runs: list[str] = []

    def way(self, name: str, *seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds[min(self.runs.count(name), len(seconds) - 1)]
            self.runs.append(name)

        return run

    def clock(self) -> float:
        return self.now


def test_a_slow_while_slows_all_ways() -> None:
    course = Course()
    first, second = course.way("a", 9.0, 5.0, 1.0, 1.2), course.way("b", 9.0, 6.0, 1.1, 5.0)
    assert race([first, second], course.clock) == pytest.approx([1.0, 1.1])
    assert course.runs == ["a", "b"] * (1 + LEAST_TURNS)


def test_the_first_run_does_not_count() -> None:
    course = Course()
    assert race([course.way("a", 0.1, 1.0)], course.clock) == pytest.approx([1.0])


def test_short_runs_have_more_turns() -> None:
    course = Course()
    race([course.way("a", 0.01)], course.clock)
    assert len(course.runs) == 1 + MOST_TURNS


def test_who_is_far_behind_in_long_runs_is_not_waited_for() -> None:
    course = Course()
    ways = [course.way("fast", 0.2), course.way("slow", 0.7), course.way("near", 0.5)]
    assert race(ways, course.clock) == pytest.approx([0.2, 0.7, 0.5])
    assert [course.runs.count(name) for name in ("fast", "slow", "near")] == [1 + LEAST_TURNS, 2, 1 + LEAST_TURNS]


def test_in_short_runs_who_is_far_behind_may_have_been_disturbed() -> None:
    course = Course()
    disturbed = course.way("disturbed", 0.01, 0.09, 0.01)
    assert race([course.way("a", 0.02), disturbed], course.clock) == pytest.approx([0.02, 0.01])


@pytest.mark.parametrize("error", [NetworkError("no"), torch.OutOfMemoryError()])
@pytest.mark.parametrize("first_runs", [0, 2])
def test_a_way_that_fails_leaves_the_race(error: Exception, first_runs: int) -> None:
    course = Course()
    stands = course.way("a", 1.0)

    def fails() -> None:
        if len(course.runs) >= first_runs:
            raise error

    assert race([fails, stands], course.clock) == [inf, pytest.approx(1.0)]


def test_other_errors_are_not_hidden() -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race([breaks], Course().clock)


def sleep() -> None:
    time.sleep(0.03)


def test_a_way_of_one_thread_is_timed_by_what_its_core_did_for_it() -> None:
    [seconds] = race([sleep], clock_for(1))
    assert seconds < 0.03


@pytest.mark.parametrize("threads", [2, None])
def test_where_several_wait_for_each_other_the_clock_on_the_wall_counts(threads: int | None) -> None:
    [seconds] = race([sleep], clock_for(threads))
    assert seconds >= 0.03
