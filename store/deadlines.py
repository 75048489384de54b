"""Ends tasks that have not started before their deadline, once a second, whether any worker lives or not.

A worker that takes such a task ends it as well; this frees the images of those that no worker takes.
"""

import threading
from contextlib import suppress

from store.errors import Unavailable
from store.task_ledger import TaskLedger

INTERVAL_SECONDS = 1.0


class DeadlineKeeper:
    """The thread of an API process that ends overdue tasks."""

    def __init__(self, ledger: TaskLedger) -> None:
        self._ledger = ledger
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_until_stopped, name="deadlines", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def _keep_until_stopped(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            with suppress(Unavailable):  # which is noted; the next second tries again
                self._ledger.end_overdue()
