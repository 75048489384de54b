"""Decides whether a worker that is busy waits some milliseconds for more tasks, before it begins with those it has.

What Celery, Redis and the threads do for a message costs as much for one task as for eight. While messages wait in
their queue they come together by themselves. Where a worker keeps up with tasks that come in quick succession it would
take them one by one, and spend twice the CPU time on each. A worker that has nothing to do, or gets a task now and
then, never waits.
"""

from collections.abc import Callable
from time import monotonic

GATHERING_SECONDS = 0.005  # far less than what most networks take
QUICK_SUCCESSION_SECONDS = 0.006  # from one task to the next, so that nearly every wait brings another one
REMEMBERED_TASKS = 8  # over about so many, the time from one task to the next is averaged


class Gathering:
    """How a worker's tasks have come of late; for one thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._latest = clock()
        self._interval_seconds = 1.0
        self._more_were_left = False

    def seconds(self, running: int) -> float:
        """Return how long to wait for more tasks, while so many are being run; mostly 0.

        There is nothing to wait for where tasks were left in the queue the last time.
        """
        pays = running > 0 and not self._more_were_left and self._interval_seconds < QUICK_SUCCESSION_SECONDS
        return GATHERING_SECONDS if pays else 0.0

    def took(self, count: int, room: int) -> None:
        """Note that so many tasks were taken together, where there was room for ``room``."""
        now = self._clock()
        weight = 1 - (1 - 1 / REMEMBERED_TASKS) ** count
        self._interval_seconds += weight * ((now - self._latest) / count - self._interval_seconds)
        self._latest = now
        self._more_were_left = count >= room
