"""A circuit breaker: after a backing service was found not to answer, nobody waits for it for a while.

Without it every thread would wait for its own time-out, and requests for the threads.
"""

import threading
from time import monotonic


class Circuit:
    """What is known of one service; shared by all threads that use it."""

    def __init__(self, away_seconds: float, probe_seconds: float) -> None:
        """Keep all off for ``away_seconds`` after a time-out; then one tries, which takes ``probe_seconds`` at most."""
        self._away_seconds = away_seconds
        self._probe_seconds = probe_seconds
        self._lock = threading.Lock()
        self._away = False
        self._open_until = 0.0

    def allows(self) -> bool:
        """Tell whether the service may be tried now. Who tries while it is away is the only one until it is known."""
        with self._lock:
            now = monotonic()
            if now < self._open_until:
                return False
            if self._away:
                self._open_until = now + self._probe_seconds
            return True

    def found(self, *, away: bool) -> None:
        """Note whether the service answered."""
        with self._lock:
            if away or self._away:
                self._away = away
                self._open_until = monotonic() + self._away_seconds if away else 0.0
