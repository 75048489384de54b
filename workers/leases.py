"""Keeps this worker's claim on the tasks that it is running.

A lease is short, so that the tasks of a dead worker come free within seconds; a thread renews the leases of the living
one.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from store.errors import Unavailable
from store.task_ledger import TaskLedger
from store.task_records import ClaimedTask

RENEWALS_PER_LEASE = 3  # one renewal may be lost to a hiccup of Redis without losing the task


class Leases:
    """The tasks that this process is running, and the thread that says so."""

    def __init__(self, ledger: TaskLedger, lease_seconds: float) -> None:
        self._ledger = ledger
        self._lease_seconds = lease_seconds
        # By claim: this process may have lost a lease to itself. With the time at which the task began to run.
        self._held: dict[tuple[str, int], tuple[ClaimedTask, float]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_stopped, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing; what is still held comes free when its lease runs out."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def held(self, *tasks: ClaimedTask) -> Iterator[None]:
        """Keep the leases of tasks alive while the block runs."""
        for task in tasks:
            self.hold(task)
        try:
            yield
        finally:
            for task in tasks:
                self.let_go(task)

    def hold(self, task: ClaimedTask, *, waits: bool = False) -> None:
        """Keep the lease of a task alive from now on; one that ``waits`` is not running yet."""
        with self._lock:
            self._held[task.id, task.fence] = task, math.inf if waits else monotonic()

    def let_go(self, task: ClaimedTask) -> None:
        """Do not renew the lease of a task any more."""
        with self._lock:
            del self._held[task.id, task.fence]

    def held_now(self) -> list[ClaimedTask]:
        """Return the tasks that this process is running, or that wait in it."""
        with self._lock:
            return [task for task, _ in self._held.values()]

    def longest_seconds(self) -> float:
        """Return for how long the task that began first has been running; 0 if none runs."""
        with self._lock:
            began = min((since for _, since in self._held.values()), default=math.inf)
        return max(0.0, monotonic() - began)

    def _renew_until_stopped(self) -> None:
        while not self._stopped.wait(self._lease_seconds / RENEWALS_PER_LEASE):
            held = self.held_now()
            if not held:
                continue
            with suppress(Unavailable):  # which is noted; a third of a lease later it is tried again
                self._ledger.renew(held, self._lease_seconds)
