"""The queues in which tasks wait for a worker: how a task gets there, how it gets back there, and how many wait."""

from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis

from config.queues import RECOVERY_QUEUE
from store.errors import StoreError
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import LINES_KEY, TASK_PREFIX, WAITING_PREFIX
from store.task_ledger import TaskLedger
from store.task_messages import message
from store.task_records import Acceptance, FreeTask, NewTask
from store.telemetry.series import ACCEPTED
from store.telemetry.tally import Tally


class TaskQueue:
    """The way from an accepted task to a worker; safe to share between threads."""

    def __init__(self, redis: Redis, ledger: TaskLedger, tally: Tally | None = None) -> None:
        self._redis = redis
        self._enqueue = ledger_script(redis, "when_full", "turns", "enqueue")
        self._ledger = ledger
        self._tally = tally

    def submit(self, new: NewTask) -> Acceptance:
        """Accept a task: record it, tell the workers, count it, and return its ID.

        Raises:
            Conflict: if another request was accepted under the same idempotency key.
            Outdated: if the registry has another stamp than the task is made for.
            QueueFull: if as much waits as may wait.
            Unavailable: if Redis is away; then the task was not accepted, or nobody knows its ID.
        """
        [outcome] = self.submit_many([new])
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def submit_many(self, new: Sequence[NewTask]) -> list[Acceptance | StoreError]:
        """Accept tasks of one account as ``submit`` does, in one round trip; an error is that of its task alone.

        Raises:
            Unavailable: if Redis is away; then none was accepted, or nobody knows their IDs.
        """
        outcomes = self._ledger.accept_many(new)
        for each, outcome in zip(new, outcomes, strict=True):
            if self._tally is not None and isinstance(outcome, Acceptance) and outcome.is_new:
                self._tally.count(ACCEPTED, each.kind.value, str(each.network_id))
        return outcomes

    def resume(self, tasks: Iterable[FreeTask]) -> None:
        """Tell the workers of tasks that were lost or given back, ahead of those that wait.

        Raises:
            Unavailable: if the messages could not be sent.
        """
        messages = [part for task in tasks for part in (task.id, message(task.kind, RECOVERY_QUEUE, task.id))]
        if messages:
            with redis_errors_as_unavailable():
                self._enqueue(args=[RECOVERY_QUEUE, TASK_PREFIX, *messages])

    def depth(self) -> int:
        """Return how many tasks wait that no worker has claimed yet."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            lines: Any = self._redis.smembers(LINES_KEY)
            for line in lines:
                pipeline.zcard(WAITING_PREFIX + line.decode())
            return sum(pipeline.execute())
