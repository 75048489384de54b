"""Checks a backing service at most every few seconds, however often and by whomever that is asked."""

import threading
from collections.abc import Callable
from time import monotonic

from store.errors import Unavailable


class RememberedCheck:
    """A check that raises ``Unavailable``, and what it found last; safe to share between threads."""

    def __init__(self, check: Callable[[], None], kept_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._check = check
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._checked_at: float | None = None
        self._reason: str | None = None

    def reason(self) -> str | None:
        """Return why the service is away, as one sentence; None if it is not. Those who ask at once wait for one."""
        with self._lock:
            if self._checked_at is None or self._clock() - self._checked_at >= self._kept_seconds:
                self._reason = self._look()
                self._checked_at = self._clock()
            return self._reason

    def _look(self) -> str | None:
        try:
            self._check()
        except Unavailable as error:
            return str(error)
        return None
