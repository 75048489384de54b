"""A clock for waiting on other services, which stands still while the event loop is busy.

All connections of an API process share one event loop. When many requests arrive at once, a greenlet runs again some
time after its answer from Redis came in. By the wall clock Redis would seem slow, and requests would be refused with
503 although it answers at once. Used by :mod:`api.services` for its connections to Redis.
"""

from time import monotonic

import gevent

TICK_SECONDS = 0.05


class LoopClock:
    """Seconds that the event loop was free to notice an answer; ``monotonic`` until :meth:`start`."""

    def __init__(self) -> None:
        self._ticker: gevent.Greenlet | None = None
        self._ticked_at = 0.0  # on the wall clock
        self._seconds = 0.0  # on this one, at the last tick

    def __call__(self) -> float:
        """Return the seconds; the difference of two readings never exceeds that of the wall clock."""
        if self._ticker is None:
            return monotonic()
        return self._seconds + min(monotonic() - self._ticked_at, TICK_SECONDS)

    def start(self) -> None:
        """Tick in this process from now on; its event loop has to run, and must not be forked afterwards."""
        self._seconds = self._ticked_at = monotonic()
        self._ticker = gevent.spawn(self._tick)

    def stop(self) -> None:
        """Stop ticking, and go on as ``monotonic``."""
        if self._ticker is not None:
            self._ticker.kill(block=False)
            self._ticker = None

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK_SECONDS)
            self._seconds = self()
            self._ticked_at = monotonic()
