"""Counts the tasks that a worker has in hand, so that it takes no more of them than keep its device busy.

What a worker has taken is ahead of whatever comes later, however urgent that is. The runner counts; the broker's
channel asks before it takes messages, and is woken when there is room again.
"""

import threading
from collections.abc import Callable


def _wake_nobody() -> None:
    """Nobody has asked for room yet."""


class InHand:
    """How many tasks are being run; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._wake = _wake_nobody

    def begin(self, count: int) -> None:
        """Count tasks that a thread has begun with."""
        with self._lock:
            self._running += count

    def end(self, count: int) -> None:
        """Count tasks that are done with, and wake whoever has found no room."""
        with self._lock:
            self._running -= count
            wake, self._wake = self._wake, _wake_nobody
        wake()

    def running(self, wake: Callable[[], None]) -> int:
        """Return how many are being run; ``wake`` is called when they are fewer, once."""
        with self._lock:
            self._wake = wake
            return self._running
