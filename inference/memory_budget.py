"""Bounds the memory that many threads take at once, for work whose need is known before it begins.

The workers decode images in dozens of threads; a single large image takes a gigabyte, and dozens of them at once would
end the process. Threads that do not fit wait, in the order in which they came.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """A number of bytes that is shared between threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._free_bytes = budget_bytes
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, nbytes: int) -> Iterator[None]:
        """Hold ``nbytes`` while the block runs, waiting until they are free; more than there is means all of it.

        Who waits for much is not overtaken by those who need little.
        """
        share = min(nbytes, self._budget_bytes)
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            self._changed.wait_for(lambda: self._line[0] is ticket and share <= self._free_bytes)
            self._line.popleft()
            self._free_bytes -= share
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free_bytes += share
                self._changed.notify_all()
