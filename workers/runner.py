"""Runs one task from claim to outcome, whatever its kind; the only place where unexpected errors are caught."""

import logging
import time
from collections.abc import Mapping

from config.queues import TaskKind
from config.settings import Settings
from inference.errors import DeviceLostError, InferenceError
from store.errors import Unavailable
from store.task_ledger import AttemptsExhausted, LastAttempt, TaskLedger
from store.task_records import ClaimedTask, Outcome
from workers.errors import TaskFailure
from workers.fetch import FetchError
from workers.gate import Gate
from workers.handlers import TaskHandler
from workers.leases import Leases
from workers.stopwatch import Stopwatch
from workers.vital_signs import VitalSigns
from workers.watchdog import end_process

logger = logging.getLogger(__name__)

FINISH_SECONDS = 60.0
FINISH_PAUSE_SECONDS = 0.5
INTERNAL_ERROR = "The task failed because of an internal error. The operator finds the details in the worker's log."


class TaskRunner:
    """Claims tasks of this worker, has them answered, and writes their outcome."""

    def __init__(
        self,
        settings: Settings,
        worker: str,
        ledger: TaskLedger,
        leases: Leases,
        handlers: Mapping[TaskKind, TaskHandler],
        *,
        signs: VitalSigns,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._ledger = ledger
        self._leases = leases
        self._handlers = handlers
        self._signs = signs
        self._gate = Gate()

    def run(self, task_id: str) -> None:
        """Run a task if it still waits.

        If a backing service is away, the task stays pending and is enqueued again when its lease has run out.
        """
        try:
            try:
                with self._gate.side_by_side():
                    self._run(task_id, alone=False)
            except LastAttempt:
                with self._gate.alone():
                    self._run(task_id, alone=True)
        except Unavailable as error:
            logger.warning("Task %s waits for a backing service: %s", task_id, error)

    def _run(self, task_id: str, *, alone: bool) -> None:
        lease_seconds, max_attempts = self._settings.lease_seconds, self._settings.max_attempts
        try:
            task = self._ledger.claim(task_id, self._worker, lease_seconds, max_attempts, alone=alone)
        except AttemptsExhausted as error:
            self._handlers[error.task.kind].gave_up(error.task.request, str(error))
            self._finish(error.task, Outcome(error=str(error)), Stopwatch(), attempt=None)
            return
        if task is not None:
            with self._leases.held(task):
                self._answer(task)

    def _answer(self, task: ClaimedTask) -> None:
        stopwatch = Stopwatch()
        try:
            outcome = self._outcome(task, stopwatch)
        except Unavailable:
            self._ledger.postpone(task)
            raise
        self._finish(task, outcome, stopwatch, attempt=task.attempt)

    def _finish(self, task: ClaimedTask, outcome: Outcome, stopwatch: Stopwatch, *, attempt: int | None) -> None:
        """Write the outcome, and wait for Redis if it is away: work that is done should not be lost."""
        started = time.monotonic()
        deadline = started + FINISH_SECONDS
        while True:
            try:
                if self._ledger.finish(task.id, attempt, outcome):
                    self._signs.task_ended(task, outcome, stopwatch, time.monotonic() - started)
                return
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(FINISH_PAUSE_SECONDS)

    def _outcome(self, task: ClaimedTask, stopwatch: Stopwatch) -> Outcome:
        handler = self._handlers[task.kind]
        try:
            data = handler.answer(task, stopwatch)
            return Outcome(data=data, stages=stopwatch.to_json())
        except Unavailable:
            raise
        except DeviceLostError as error:
            # The lease runs out and another process tries; attempts are counted, should this task be to blame.
            end_process(f"The device failed: {error}")
        except (TaskFailure, InferenceError, FetchError) as error:
            reason = str(error)
        except Exception:
            logger.exception("Task %s failed.", task.id)
            reason = INTERNAL_ERROR
        handler.gave_up(task.request, reason)
        return Outcome(error=reason, stages=stopwatch.to_json())
