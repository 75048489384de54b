"""An outage is one sentence in the log, and then one every ten seconds with a count."""

import logging

import pytest

from store.availability.outages import MAX_SENTENCES, Outages
from store.errors import DatabaseAway, LedgerAway

REPLICA, NOT_REACHABLE = "Redis is a replica.", "Redis is not reachable."


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> Outages:
    return Outages(clock)


def fail(outages: Outages, clock: Clock, seconds: float, sentence: str = REPLICA, each: float = 0.01) -> None:
    """Let something fail for so long, every ``each`` seconds."""
    for _ in range(round(seconds / each)):
        outages.note(LedgerAway(sentence))
        clock.now += each


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_first_failure_is_told_at_once_and_the_others_are_counted(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail(outages, clock, 20.5, each=0.25)
    assert lines(caplog) == [REPLICA, f"{REPLICA} (40 more times in 10 s)", f"{REPLICA} (40 more times in 10 s)"]


def test_another_state_is_told_at_once(outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        fail(outages, clock, 1, REPLICA)
        fail(outages, clock, 1, NOT_REACHABLE)
    assert lines(caplog) == [REPLICA, NOT_REACHABLE]


def test_end_is_told_once_nothing_has_failed_for_a_while(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    fail(outages, clock, 3)
    outages.answered(LedgerAway)  # reads succeed while writes fail
    clock.now += 11
    outages.answered(DatabaseAway)  # another service
    outages.answered(LedgerAway)
    outages.answered(LedgerAway)
    assert lines(caplog) == [REPLICA, f"It is over after 3 s: {REPLICA}"]
    fail(outages, clock, 0.01)
    assert lines(caplog)[-1] == REPLICA


def test_error_that_passes_through_several_hands_counts_once(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    error = LedgerAway(REPLICA)
    outages.note(error)
    outages.note(error)
    clock.now += 10
    outages.note(LedgerAway(REPLICA))
    assert lines(caplog)[-1] == f"{REPLICA} (1 more times in 10 s)"


def test_cause_is_told_in_one_line(outages: Outages, caplog: pytest.LogCaptureFixture) -> None:
    error = LedgerAway(REPLICA)
    error.__cause__ = ValueError("READONLY\nYou can't write")
    outages.note(error)
    assert lines(caplog) == [f"{REPLICA} (READONLY You can't write)"]


def test_sentences_that_never_end_take_bounded_memory(outages: Outages) -> None:
    for number in range(3 * MAX_SENTENCES):
        outages.note(LedgerAway(f"No {number}."))
    assert len(outages._outages) == MAX_SENTENCES
