"""Enqueues pending tasks again that no live worker holds and no message will start.

Redis as a Celery broker can lose a message when a worker is killed at the wrong moment, and messages that a killed
worker had prefetched stay away for a while. The ledger knows every pending task, so a thread of each worker compares.
To enqueue a task that was not lost is harmless: the ledger lets only one worker run it.
"""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress

from store.errors import Unavailable
from store.task_queue import TaskQueue
from store.task_records import ClaimedTask
from store.task_recovery import TaskRecovery

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
MISSING_FOR_SECONDS = 4.0  # how long a message may be in the hands of a worker before it counts as lost


class Reconciler:
    """Brings tasks back into the queue: the thread that looks for lost ones, and what a worker gives back."""

    def __init__(self, recovery: TaskRecovery, queue: TaskQueue) -> None:
        self._recovery = recovery
        self._queue = queue
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._reconcile_until_stopped, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def reconcile_once(self) -> int:
        """Enqueue what is lost now and return how many tasks that were."""
        lost = self._recovery.find_lost(MISSING_FOR_SECONDS)
        self._queue.resume(lost)
        return len(lost)

    def hand_back(self, claimed: Sequence[ClaimedTask]) -> None:
        """Let other workers run these tasks at once; if that fails, they take them when the leases have run out."""
        try:
            self._queue.resume(self._recovery.release(claimed))
        except Unavailable as error:
            logger.warning("Tasks could not be handed back: %s", error)

    def _reconcile_until_stopped(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            with suppress(Unavailable):  # which is noted; the next second tries again
                if found := self.reconcile_once():
                    logger.info("Enqueued %d task(s) again that no worker held.", found)
