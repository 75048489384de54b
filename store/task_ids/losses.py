"""Tells what the ledger has lost: to who asks for a task that is gone, and to operators."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from store.errors import Unavailable
from store.tables import now
from store.task_ids.epoch_records import EpochRecords, LedgerLoss, LossKind

KEPT_SECONDS = 5.0
KNOWN_LOSSES = 50
RECENT = timedelta(days=7)

UNKNOWN = "There is no task {id}."
EMPTIED = "Task {id} is gone: all tasks with IDs up to {last} were lost with the task ledger, {when}."
SOME_LOST = "There is no task {id}. It may be one of those with IDs up to {last} that the task ledger lost, {when}."


class Losses:
    """The losses that the database knows, read every few seconds at most; safe to share between threads."""

    def __init__(self, records: EpochRecords, clock: Callable[[], float] = monotonic) -> None:
        self._records = records
        self._clock = clock
        self._known: list[LedgerLoss] = []
        self._read_at: float | None = None
        self._lock = threading.Lock()

    def recent(self) -> list[LedgerLoss]:
        """Return those of the last days, latest first.

        Raises:
            Unavailable: if the database is away.
        """
        return [loss for loss in self._all() if now() - loss.date < RECENT]

    def sentence(self, task_id: str) -> str:
        """Return why there is no task of this ID, as far as is known."""
        try:
            losses = self._all()
        except Unavailable:
            losses = []
        covering = [loss for loss in losses if int(task_id) <= loss.last_id]
        if not covering:
            return UNKNOWN.format(id=task_id)
        loss = covering[-1]  # the one that ended the epoch of the task
        sentence = EMPTIED if loss.kind is LossKind.EMPTIED else SOME_LOST
        return sentence.format(id=task_id, last=loss.last_id, when=_when(loss.date))

    def _all(self) -> list[LedgerLoss]:
        with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= KEPT_SECONDS:
                self._known = self._records.losses(KNOWN_LOSSES)
                self._read_at = self._clock()
            return self._known


def _when(date: datetime) -> str:
    return date.strftime("on %Y-%m-%d at %H:%M UTC")
