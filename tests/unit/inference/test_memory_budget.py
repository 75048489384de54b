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
    holders = [Holder(budget, 40), Holder(budget, 35), Holder(budget, 3)]  # a quarter is for small ones
    assert all(holder.has_it.wait(DEADLINE_SECONDS) for holder in holders)
    for holder in holders:
        holder.let_go()


def test_what_does_not_fit_waits_and_the_large_is_not_overtaken_by_the_large() -> None:
    budget = MemoryBudget(100)
    first = Holder(budget, 60)
    assert first.has_it.wait(DEADLINE_SECONDS)
    large = Holder(budget, 70)
    assert waits(large)
    other = Holder(budget, 15)
    assert waits(other)
    first.let_go()
    assert large.has_it.wait(DEADLINE_SECONDS)
    assert waits(other)
    large.let_go()
    assert other.has_it.wait(DEADLINE_SECONDS)
    other.let_go()


def test_small_ones_pass_large_ones_that_wait() -> None:
    budget = MemoryBudget(100)
    giants = [Holder(budget, 10**12), Holder(budget, 10**12)]
    assert any(giant.has_it.wait(DEADLINE_SECONDS) for giant in giants)
    small = [Holder(budget, 12), Holder(budget, 12)]
    assert all(holder.has_it.wait(DEADLINE_SECONDS) for holder in small)
    late = Holder(budget, 12)
    assert waits(late)
    for holder in (*small, *giants, late):
        holder.let_go()


def test_large_one_is_not_kept_waiting_by_small_ones_that_come_and_go() -> None:
    budget = MemoryBudget(100)
    small = [Holder(budget, 12) for _ in range(8)]
    assert all(holder.has_it.wait(DEADLINE_SECONDS) for holder in small)
    large = Holder(budget, 75)
    assert waits(large)
    later = Holder(budget, 12)
    for holder in small[:6]:
        holder.let_go()
    assert large.has_it.wait(DEADLINE_SECONDS)
    assert waits(later)
    for holder in (*small[6:], large, later):
        holder.let_go()


def test_small_ones_have_all_of_it_while_no_large_one_waits() -> None:
    budget = MemoryBudget(100)
    small = [Holder(budget, 12) for _ in range(8)]
    assert all(holder.has_it.wait(DEADLINE_SECONDS) for holder in small)
    for holder in small:
        holder.let_go()


def test_an_error_gives_the_bytes_back() -> None:
    budget = MemoryBudget(100)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.reserved(100):
            _ = 1 / 0
