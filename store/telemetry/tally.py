"""Adds up in memory what a process does, at about a microsecond for each event, until its reporter sends it."""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping

from store.telemetry.series import Counter, Histogram

Changes = Mapping[str, float]
"""How much each field has grown: ``name|label|label`` of a counter, with ``#bucket`` or ``#sum`` of a histogram."""

SEPARATOR = "|"
PART = "#"
SUM = "sum"


class Tally:
    """Counters and histograms; safe to share between threads."""

    def __init__(self) -> None:
        self._changes: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def count(self, counter: Counter, *labels: str, amount: float = 1) -> None:
        """Add ``amount`` to a counter; ``labels`` are the values of its labels, in their order."""
        field = SEPARATOR.join((counter.name, *labels))
        with self._lock:
            self._changes[field] += amount

    def observe(self, histogram: Histogram, *labels: str, value: float) -> None:
        """Count a value in a histogram."""
        field = SEPARATOR.join((histogram.name, *labels))
        bucket = f"{field}{PART}{bisect_left(histogram.bounds, value)}"
        with self._lock:
            self._changes[bucket] += 1
            self._changes[f"{field}{PART}{SUM}"] += value

    def take(self) -> dict[str, float]:
        """Return what has changed since the last call, and begin anew."""
        with self._lock:
            taken, self._changes = self._changes, defaultdict(float)
        return taken

    def put_back(self, changes: Changes) -> None:
        """Add what was taken and could not be sent."""
        with self._lock:
            for field, amount in changes.items():
                self._changes[field] += amount
