"""Tells operators that a backing service is away: once for each state, then every ten seconds with a count.

Whoever meets such an error notes it here. So the log of a process has one sentence for an outage, and not one for each
request, thread and second, which would fill the disk that is perhaps full already.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from store.errors import Unavailable

logger = logging.getLogger(__name__)

REPEAT_SECONDS = 10.0
WELL_SECONDS = 10.0  # without a failure: reads succeed while writes fail
MAX_SENTENCES = 100
MAX_CAUSE = 200


@dataclass
class _Outage:
    """One sentence that was noted, since when, and how often since its last line."""

    kind: type[Unavailable]
    began: float
    told: float
    failed: float
    count: int = 0


class Outages:
    """The outages that a process has met and that have not ended; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._outages: dict[str, _Outage] = {}
        self._lock = threading.Lock()

    def note(self, error: Unavailable) -> None:
        """Note that something failed because a service is away; the same error counts once."""
        if error.noted:
            return
        error.noted = True
        sentence, now = str(error), self._clock()
        with self._lock:
            known = self._outages.get(sentence)
            if known is None:
                self._forget_oldest()
                self._outages[sentence] = _Outage(type(error), now, now, now)
                logger.error("%s%s", sentence, _cause(error))
                return
            known.count, known.failed = known.count + 1, now
            if now - known.told >= REPEAT_SECONDS:
                logger.error("%s (%d more times in %.0f s)", sentence, known.count, now - known.told)
                known.told, known.count = now, 0

    def answered(self, *kinds: type[Unavailable]) -> None:
        """Note that a service has answered; its outage has ended when nothing failed for a while."""
        if not self._outages:
            return
        now = self._clock()
        with self._lock:
            for sentence, each in list(self._outages.items()):
                if each.kind in kinds and now - each.failed >= WELL_SECONDS:
                    del self._outages[sentence]
                    logger.warning("It is over after %.0f s: %s", each.failed - each.began, sentence)

    def _forget_oldest(self) -> None:
        while len(self._outages) >= MAX_SENTENCES:
            del self._outages[next(iter(self._outages))]


def _cause(error: Unavailable) -> str:
    """Return what the service itself said, for the log."""
    text = " ".join(str(error.__cause__).split()) if error.__cause__ is not None else ""
    return f" ({text[:MAX_CAUSE]})" if text else ""


_of_this_process = Outages()


def note(error: Unavailable) -> None:
    """Note in this process that something failed because a service is away."""
    _of_this_process.note(error)


def answered(*kinds: type[Unavailable]) -> None:
    """Note in this process that a service has answered; ``kinds`` are the errors that it raises otherwise."""
    _of_this_process.answered(*kinds)
