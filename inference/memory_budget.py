"""Bounds the memory that many threads take at once, for work whose need is known before it begins.

The workers decode images in dozens of threads; a single large image takes a gigabyte, and dozens of them at once would
end the process. Threads that do not fit wait, in the order in which they came. Large needs have a line of their own,
and a part of the budget that they never take: otherwise all small ones would wait behind a single large one.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LARGE_SHARE = 0.125  # of the budget: a need over it is large
KEPT_SHARE = 0.25  # of the budget: large ones never take it, and small ones have it while a large one waits


@dataclass
class _Line:
    """Who waits, in order, and what those have who do not wait any more."""

    waiting: deque[object] = field(default_factory=deque)
    taken_bytes: int = 0


class MemoryBudget:
    """A number of bytes that is shared between threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._kept_bytes = int(budget_bytes * KEPT_SHARE)
        self._small, self._large = _Line(), _Line()
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, nbytes: int) -> Iterator[None]:
        """Hold ``nbytes`` while the block runs, waiting until they are free.

        More than the large ones may take means all of that: one of them then runs beside small ones alone. Who waits
        for much is not overtaken by others who do, and small ones take no more than their part meanwhile.
        """
        is_large = nbytes > self._budget_bytes * LARGE_SHARE
        line = self._large if is_large else self._small
        share = min(nbytes, self._budget_bytes - self._kept_bytes) if is_large else nbytes
        ticket = object()
        with self._changed:
            line.waiting.append(ticket)
            self._changed.wait_for(lambda: line.waiting[0] is ticket and self._fits(share, is_large=is_large))
            line.waiting.popleft()
            line.taken_bytes += share
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                line.taken_bytes -= share
                self._changed.notify_all()

    def _fits(self, share: int, *, is_large: bool) -> bool:
        small, large = self._small, self._large
        if small.taken_bytes + large.taken_bytes + share > self._budget_bytes:
            return False
        if is_large:
            return large.taken_bytes + share <= self._budget_bytes - self._kept_bytes
        return not large.waiting or small.taken_bytes + share <= self._kept_bytes
