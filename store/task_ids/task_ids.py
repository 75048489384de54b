"""Gives out the IDs of new tasks, and notices when the ledger has lost what it had.

Each process of the API has a block of IDs of its own, reserved in the database. So no ID is given twice, whether Redis
is emptied, goes back in time, or two of them believe to be the master. With each ID goes what the process knows of the
ledger; the script that accepts a task compares, and takes nothing if the ledger has lost its epoch or the latest task
of this process (``lua/issue.lua``). Then a new epoch begins, above all IDs that were ever given out.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from redis import Redis

from store.database import Database
from store.errors import LedgerAway, Unavailable
from store.task_ids.epoch_records import Epoch, EpochEnded, EpochRecords, LossKind
from store.task_ids.issue import Issue
from store.task_ids.ledger_epoch import LedgerEpochs, LedgerState
from store.task_ids.losses import Losses
from store.telemetry.series import LEDGER_LOSSES, LOST_TASKS
from store.telemetry.tally import Tally

logger = logging.getLogger(__name__)

FIRST_BLOCK = 64
MAX_BLOCK = 4096  # each block is twice the one before: many tasks are few reservations, many restarts few lost IDs
ATTEMPTS = 4
LOST = b"lost"
REPLACED = "The task queue was replaced a moment ago."

SENTENCES = {
    LossKind.EMPTIED: "The task ledger is empty: all tasks with IDs up to %d are lost, %s that had not ended.",
    LossKind.WENT_BACK: "The task ledger has gone back in time: of the tasks with IDs up to %d the latest are lost.",
    LossKind.REPLACED: "The task ledger is another one: tasks with IDs up to %d may be lost.",
}


class TaskIds:
    """The IDs of one process; safe to share between threads. ``database`` has to be durable.

    ``losses`` tells what the ledger has lost.
    """

    def __init__(self, database: Database, redis: Redis, tally: Tally | None = None) -> None:
        self._database = database
        self._records = EpochRecords(database)
        self.losses = Losses(self._records)
        self._issuer = uuid4().hex[:12]
        self._ledger = LedgerEpochs(redis, self._issuer)
        self._tally = tally
        self._epoch: str | None = None
        self._free = deque[int]()
        self._reserved = range(0)  # a block that the ledger does not know of yet
        self._block = FIRST_BLOCK
        self._seen = 0
        self._pending: int | None = None  # when the ledger was last looked at
        self._lock = threading.Lock()

    def accept(self, count: int, submit: Callable[[Sequence[int], Sequence[Issue]], list[Any]]) -> list[Any]:
        """Return the answers of ``submit`` for ``count`` tasks, each with an ID.

        It is called with the indexes of tasks and their IDs, and again for those that the ledger did not take because
        it had lost its epoch.

        Raises:
            Unavailable: if the database or Redis is away.
        """
        answers: list[Any] = [[LOST]] * count
        left = list(range(count))
        for _ in range(ATTEMPTS):
            issues = self._take(len(left))
            for index, issue, answer in zip(left, issues, submit(left, issues), strict=True):
                answers[index] = answer
                self._settle(issue, answer)
            left = [index for index in left if answers[index][0] == LOST]
            if not left:
                return answers
            self._begin_anew(issues[0].epoch)
        raise LedgerAway(REPLACED)

    def look(self) -> None:
        """Notice a loss now, and not only when the next task comes. Called every second or so.

        Raises:
            Unavailable: if the database or Redis is away.
        """
        with self._lock:
            epoch, seen = self._epoch, self._seen
        if epoch is None:
            self._begin_anew(None)
            return
        state = self._ledger.state()
        if _is_lost(state, epoch, seen):
            self._begin_anew(epoch)
        else:
            self._pending = state.pending

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def _take(self, count: int) -> list[Issue]:
        with self._lock:
            epoch = self._ready_epoch(count)
            return [Issue(self._free.popleft(), epoch, self._issuer, self._seen) for _ in range(count)]

    def _ready_epoch(self, count: int) -> str:
        """Return the present epoch, when there are ``count`` IDs for it."""
        for _ in range(ATTEMPTS):
            with suppress(EpochEnded):  # another process has begun one meanwhile
                epoch = self._epoch or self._begin()
                if len(self._free) < max(count, self._block // 4):
                    self._reserve(epoch, count)
                return epoch
        raise LedgerAway(REPLACED)

    def _settle(self, issue: Issue, answer: Sequence[Any]) -> None:
        """Note what became of an ID: whether a task has it, or another one may."""
        with self._lock:
            if issue.epoch != self._epoch:
                return
            if answer[0] == str(issue.id).encode():
                self._seen = max(self._seen, issue.id)
            else:
                self._free.appendleft(issue.id)

    def _begin_anew(self, stale: str | None) -> None:
        with self._lock:
            if self._epoch == stale:  # else another thread has done so
                with suppress(EpochEnded):  # another process has begun one meanwhile: the next task finds it
                    self._begin()

    def _begin(self) -> str:
        """Return the present epoch, or begin a new one if the ledger has lost what it had; then reserve IDs."""
        state, recorded = self._ledger.state(), self._records.current()
        loss = self._loss(state, recorded)
        if recorded is None or loss is not None:
            tasks = self._pending if loss is LossKind.EMPTIED else None
            former = None if recorded is None else recorded.token
            recorded, is_new = self._records.begin(former, state.counter, loss, tasks)
            if is_new and loss is not None:
                self._report(loss, recorded.first_id - 1, tasks)
        if state.token != recorded.token:
            self._ledger.begin(state.token, recorded.token)
        if self._epoch != recorded.token:
            self._epoch, self._seen = recorded.token, 0
        self._forget_ids()
        self._reserve(recorded.token, 1, state.counter)
        return recorded.token

    def _loss(self, state: LedgerState, recorded: Epoch | None) -> LossKind | None:
        """Return what has happened to the ledger since the epoch that the database knows; None if nothing has."""
        if recorded is None or recorded.noted_id == 0:  # the first one, or one that no ledger has been told of
            return None
        if state.token is None:
            return LossKind.EMPTIED
        if state.token != recorded.token:
            return LossKind.WENT_BACK if self._records.knows(state.token) else LossKind.REPLACED
        is_ours = self._epoch == recorded.token
        if state.counter < recorded.noted_id or (is_ours and _is_lost(state, recorded.token, self._seen)):
            return LossKind.WENT_BACK
        return None

    def _reserve(self, epoch: str, count: int, above: int = 0) -> None:
        """Reserve a block with ``count`` IDs at least, and tell the ledger of it.

        If that cannot be done now, what is left of the block before will do for as long as it lasts.

        Raises:
            EpochEnded: if there is another epoch by now.
        """
        try:
            if len(self._reserved) < count:  # else the ledger could not be told of it, and no further one is needed
                self._reserved = self._records.reserve(epoch, max(self._block, count), above)
            last_id = self._reserved[-1]
            if not self._ledger.note_block(epoch, self._seen, last_id):
                raise EpochEnded
            self._records.note(epoch, last_id)
        except EpochEnded:
            self._epoch = None
            self._forget_ids()
            raise
        except Unavailable:
            if len(self._free) < count:
                raise
        else:
            self._free.extend(self._reserved)
            self._reserved = range(0)
            self._block = min(2 * self._block, MAX_BLOCK)

    def _forget_ids(self) -> None:
        """Use none of the IDs of the epoch before."""
        self._free.clear()
        self._reserved = range(0)

    def _report(self, loss: LossKind, last_id: int, tasks: int | None) -> None:
        known = f"{tasks} of them" if tasks is not None else "with those"
        logger.critical(SENTENCES[loss], *((last_id, known) if loss is LossKind.EMPTIED else (last_id,)))
        if self._tally is not None:
            self._tally.count(LEDGER_LOSSES, loss.value)
            self._tally.count(LOST_TASKS, amount=tasks or 0)


def _is_lost(state: LedgerState, epoch: str, seen: int) -> bool:
    """Tell whether the ledger has lost its epoch, or tasks that a process knows it to have accepted."""
    if state.token != epoch:
        return True
    return max(state.counter if state.issued is None else state.issued, 0) < seen
