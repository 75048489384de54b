"""Lets the tasks of a worker run side by side, but for one that must have the process for itself.

A task may bring its process down: a network that crashes the interpreter, an image that makes it grow until the kernel
kills it. Then all tasks of that process have failed once, and nobody knows which is to blame. Their last attempts are
made alone, so that only the culprit is given up.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A readers-writer lock that prefers the writer: tasks that run side by side, and one that runs alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._side_by_side = 0
        self._alone = False
        self._waiting_for_alone = 0

    @contextmanager
    def side_by_side(self) -> Iterator[None]:
        """Run the block together with others, once nobody wants to run alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._waiting_for_alone)
            self._side_by_side += 1
        try:
            yield
        finally:
            with self._changed:
                self._side_by_side -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run the block when all others have left, and keep them out meanwhile."""
        with self._changed:
            self._waiting_for_alone += 1
            self._changed.wait_for(lambda: not self._alone and not self._side_by_side)
            self._waiting_for_alone -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
