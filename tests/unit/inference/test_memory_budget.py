"""Threads share a number of bytes, in the order in which they ask."""

import threading

import pytest

from inference.memory_budget import MemoryBudget

DEADLINE_SECONDS = 30.0


class Holder(threading.Thread):
    """Reserves bytes until it is told to let go."""

    def __init__(self, budget: MemoryBudget, nbytes: int) -> None:
        super().__init__(daemon=True)
        self._budget, self._nbytes = budget, nbytes
        self.has_it, self.may_go = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._budget.reserved(self._nbytes):
            self.has_it.set()
            self.may_go.wait(DEADLINE_SECONDS)

    def let_go(self) -> None:
        self.may_go.set()
        self.join(DEADLINE_SECONDS)
        assert not self.is_alive()


def waits(holder: Holder) -> bool:
    return not holder.has_it.wait(0.05)


def test_what_fits_together_runs_together() -> None:
    budget = MemoryBudget(100)
    holders = [Holder(budget, 50), Holder(budget, 50)]
    assert all(holder.has_it.wait(DEADLINE_SECONDS) for holder in holders)
    for holder in holders:
        holder.let_go()


def test_what_does_not_fit_waits_and_the_large_is_not_overtaken() -> None:
    budget = MemoryBudget(100)
    first = Holder(budget, 60)
    assert first.has_it.wait(DEADLINE_SECONDS)
    large = Holder(budget, 80)
    assert waits(large)
    small = Holder(budget, 10)
    assert waits(small)
    first.let_go()
    assert large.has_it.wait(DEADLINE_SECONDS)
    assert small.has_it.wait(DEADLINE_SECONDS)
    large.let_go()
    small.let_go()


def test_more_than_there_is_runs_alone() -> None:
    budget = MemoryBudget(100)
    giant = Holder(budget, 10**12)
    assert giant.has_it.wait(DEADLINE_SECONDS)
    small = Holder(budget, 1)
    assert waits(small)
    giant.let_go()
    assert small.has_it.wait(DEADLINE_SECONDS)
    small.let_go()


def test_an_error_gives_the_bytes_back() -> None:
    budget = MemoryBudget(100)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.reserved(100):
            _ = 1 / 0
