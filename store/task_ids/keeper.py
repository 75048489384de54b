"""Looks once a second whether the ledger has lost what it had, so that operators learn of it though nobody asks."""

import threading
from contextlib import suppress

from store.errors import Unavailable
from store.task_ids.task_ids import TaskIds

INTERVAL_SECONDS = 1.0


class EpochKeeper:
    """The thread of an API process that looks, for as long as the process lives."""

    def __init__(self, ids: TaskIds) -> None:
        self._ids = ids
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_until_stopped, name="epochs", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def _keep_until_stopped(self) -> None:
        while not self._stopped.is_set():
            with suppress(Unavailable):  # which is noted; the next second tries again
                self._ids.look()
            self._stopped.wait(INTERVAL_SECONDS)
