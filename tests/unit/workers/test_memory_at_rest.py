"""A worker that rests gives back what a burst has taken, and one that is busy keeps it."""

import numpy as np
import pytest

from workers.memory.rest import GROWN_BYTES, PAUSED_CHECKS, REST_CHECKS, MemoryAtRest, resident_bytes

BLOCK_BYTES = 64 * 1024  # less than glibc takes from the system by itself
BURST_BYTES = 4 * GROWN_BYTES


class Worker:
    """A worker that is busy or not."""

    def __init__(self) -> None:
        self.is_busy = False
        self.rest = MemoryAtRest(lambda: self.is_busy)

    def checks(self, count: int) -> list[bool]:
        return [self.rest.check() for _ in range(count)]


@pytest.fixture
def worker() -> Worker:
    return Worker()


def burst() -> np.ndarray:
    """Take and free much memory, of which the last block stays in use, so that the heap cannot shrink."""
    blocks = [np.ones(BLOCK_BYTES, np.uint8) for _ in range(BURST_BYTES // BLOCK_BYTES)]
    return blocks[-1]


def test_memory_of_a_burst_is_given_back_at_rest(worker: Worker) -> None:
    last = burst()
    grown = resident_bytes()
    assert worker.checks(REST_CHECKS) == [False] * (REST_CHECKS - 1) + [True]
    assert resident_bytes() < grown - BURST_BYTES // 2
    assert last.all()


def test_busy_worker_keeps_its_memory(worker: Worker) -> None:
    last = burst()
    grown = resident_bytes()
    worker.is_busy = True
    assert not any(worker.checks(10 * REST_CHECKS))
    worker.is_busy = False
    worker.checks(REST_CHECKS - 1)
    worker.is_busy = True
    worker.checks(1)
    worker.is_busy = False
    assert not any(worker.checks(REST_CHECKS - 1))  # it has to rest anew
    assert resident_bytes() > grown - BURST_BYTES // 2
    assert last.all()


def test_memory_is_given_back_once_and_not_again_and_again(worker: Worker) -> None:
    kept = [burst()]
    assert worker.checks(2 * REST_CHECKS).count(True) == 1
    kept.append(burst())
    assert not any(worker.checks(PAUSED_CHECKS - REST_CHECKS - 1))
    assert worker.checks(REST_CHECKS).count(True) == 1
    assert not any(worker.checks(3 * PAUSED_CHECKS))


def test_worker_that_has_not_grown_gives_nothing_back(worker: Worker) -> None:
    assert not any(worker.checks(3 * REST_CHECKS))


def test_thread_stops() -> None:
    rest = MemoryAtRest(lambda: False)
    rest.start()
    rest.stop()
