"""The truth about tasks, in Redis: who owns each, where it stands, what it was given, how it ended.

The API submits and reads, the workers claim and finish. A Celery message is only a hint that a task waits; whether it
may run is decided here, under leases, and the first final state wins, so running a task twice is harmless. Everything
that must not be torn apart is one Lua script (``store/lua``).

``task_keys`` lists its keys, ``task_recovery`` finds what was lost. Times are seconds since the epoch by the clock of
Redis (``lua/clock.lua``): those of hosts may differ.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from redis import Redis

from config.queues import TaskKind
from store.availability.ledger_probe import LedgerProbe
from store.backlog import MEMORY, UNLIMITED, Backlog, BacklogLimits
from store.errors import Conflict, LedgerFull, NotFound, Outdated, StoreError
from store.ledger_calls import claim_call, finish_call, submit_call
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_ids.issue import Issue
from store.task_ids.losses import UNKNOWN
from store.task_ids.task_ids import TaskIds
from store.task_keys import (
    BACKLOG_KEY,
    DEADLINES_KEY,
    INPUTS_PREFIX,
    LEASES_KEY,
    PENDING_NETWORKS_KEY,
    PENDING_PREFIX,
    TASK_PREFIX,
    WAITING_PREFIX,
)
from store.task_reading import READ_FIELDS, record_of
from store.task_records import CANCELLED, OVERDUE, Acceptance, ClaimedTask, Ending, NewTask, Outcome, TaskRecord
from store.telemetry.telemetry import Telemetry
from store.turns import Cost

MOST_OVERDUE_AT_ONCE = 1000


class AttemptsExhausted(Exception):
    """A task was started as often as allowed and none of its workers lived to tell."""

    def __init__(self, task: ClaimedTask) -> None:
        super().__init__(f"The task failed {task.attempt} times without an answer, so it was given up.")
        self.task = task


class LastAttempt(Exception):
    """A task brought its workers down before, or was there when it happened, and may be tried once more, alone."""


class TaskLedger:
    """All that is known of tasks; safe to share between threads. ``probe`` tells whether it would accept one."""

    def __init__(
        self,
        redis: Redis,
        task_ttl_seconds: int,
        limits: BacklogLimits = UNLIMITED,
        telemetry: Telemetry | None = None,
        ids: TaskIds | None = None,
    ) -> None:
        """Without ``ids``, new tasks are counted in Redis alone, which is for those who accept none that must last."""
        self._redis = redis
        self._ids = ids
        self._telemetry = telemetry
        self.probe = LedgerProbe(redis)
        self._backlog = Backlog(redis)
        self._limits = limits.as_json()
        self._ttl = task_ttl_seconds
        self._submit = ledger_script(
            redis, "clock", "backlog", "networks", "idempotency", "ended", "webhooks", "turns", "issue", "submit"
        )
        self._discard = ledger_script(redis, "backlog", "networks", "ended", "discard")
        self._claim = ledger_script(redis, "clock", "when_full", "claim")
        self._finish = ledger_script(
            redis, "clock", "when_full", "backlog", "networks", "ended", "webhooks", "turns", "finish"
        )
        self._renew = ledger_script(redis, "clock", "when_full", "renew")
        self._find_overdue = ledger_script(redis, "clock", "find_overdue")
        self._postpone = ledger_script(redis, "when_full", "postpone")
        self._count_attempt = ledger_script(redis, "when_full", "count_attempt")

    # For the API: accept and read.

    def submit(self, new: NewTask) -> str:
        """Accept a task, as ``accept`` does, and return its ID."""
        return self.accept(new).task_id

    def accept(self, new: NewTask) -> Acceptance:
        """Record a task as pending, with its inputs, and tell the workers; or find that this was done before.

        One that has ended already is recorded as that, and no worker is told.

        Raises:
            Conflict: if another request was accepted under the same idempotency key.
            Outdated: if the registry has another stamp than the task is made for.
            QueueFull: if as much waits as may wait.
            Unavailable: if Redis is away; then the task was not accepted, or nobody knows its ID.
        """
        [outcome] = self.accept_many([new])
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def accept_many(self, new: Sequence[NewTask]) -> list[Acceptance | StoreError]:
        """Accept tasks of one account, each as ``accept`` does or with its error, in one round trip.

        Raises:
            QueueFull: if Redis' memory is full.
            Unavailable: if Redis is away; then none was accepted, or nobody knows their IDs.
        """
        for account_id in {each.account_id for each in new}:
            self._backlog.check_memory(account_id)
        answers = self._answers(new)
        outcomes = [self._outcome(each, *answer) for each, answer in zip(new, answers, strict=True)]
        for each, outcome in zip(new, outcomes, strict=True):
            if each.ended_with is not None and isinstance(outcome, Acceptance) and outcome.is_new:
                self._count_ended(outcome.task_id, each)
        return outcomes

    def _answers(self, new: Sequence[NewTask]) -> list[Any]:
        """Return what the ledger answers to tasks; one that has lost its epoch is asked again in the next."""

        def submit(indexes: Sequence[int], issues: Sequence[Issue | None]) -> list[Any]:
            pairs = zip(indexes, issues, strict=True)
            calls = [submit_call(new[index], self._limits, self._ttl, issue) for index, issue in pairs]
            with redis_errors_as_unavailable():
                return self._submit.run_many(calls)

        try:
            if self._ids is None:
                return submit(range(len(new)), [None] * len(new))
            return self._ids.accept(len(new), submit)
        except LedgerFull as error:  # since it was asked
            raise self._backlog.refusal(MEMORY, new[0].account_id) from error

    def _count_ended(self, task_id: str, new: NewTask) -> None:
        """Count a task that was accepted as one that has ended."""
        if self._telemetry is not None:
            outcome = Outcome(error=new.ended_with)
            self._telemetry.count_unrun(task_id, new.kind.value, new.network_id, new.account_id, outcome)

    def _outcome(self, new: NewTask, answer: bytes, is_new: int | None = None) -> Acceptance | StoreError:
        if is_new is not None:
            return Acceptance(answer.decode(), is_new=bool(is_new))
        if answer == b"outdated":
            return Outdated("The registry was changed while the request was being read.")
        if answer == b"conflict":
            return Conflict("Another request was sent under this idempotency key within the last 24 hours.")
        return self._backlog.refusal(answer.decode(), new.account_id)

    def discard(self, task_id: str) -> None:
        """Forget a task as if it had never been accepted."""
        keys = [
            TASK_PREFIX + task_id,
            INPUTS_PREFIX + task_id,
            LEASES_KEY,
            BACKLOG_KEY,
            PENDING_NETWORKS_KEY,
            DEADLINES_KEY,
        ]
        with redis_errors_as_unavailable():
            self._discard(keys=keys, args=[task_id, WAITING_PREFIX, PENDING_PREFIX])

    def cancel(self, account_id: int, task_id: str) -> None:
        """End a pending task of this account as cancelled; one that has ended stays as it is.

        Raises:
            NotFound: if there is none of that ID, it has expired, or it is another account's.
        """
        self.get(account_id, task_id)
        self._end_unrun(task_id, CANCELLED)

    def purge(self, account_id: int, task_id: str) -> None:
        """Forget a task of this account with all that belongs to it; a result that comes later is dropped.

        Raises:
            NotFound: if there is none of that ID, it has expired, or it is another account's.
        """
        self.get(account_id, task_id)
        self.discard(task_id)

    def get(self, account_id: int, task_id: str) -> TaskRecord:
        """Return a task of this account.

        Raises:
            NotFound: if there is none of that ID, it has expired, or it is another account's.
        """
        with redis_errors_as_unavailable():
            row: Any = self._redis.hmget(TASK_PREFIX + task_id, READ_FIELDS)
        task = record_of(task_id, row) if row[0] else None
        if task is None or task.account_id != account_id:
            raise NotFound(UNKNOWN.format(id=task_id) if self._ids is None else self._ids.losses.sentence(task_id))
        return task

    def known(self, account_id: int, task_ids: Sequence[str]) -> list[str]:
        """Return those of ``task_ids`` that are tasks of this account, in that order, without reading these."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hget(TASK_PREFIX + task_id, "account")
            owners = pipeline.execute()
        return [task_id for task_id, owner in zip(task_ids, owners, strict=True) if owner == str(account_id).encode()]

    def get_many(self, account_id: int, task_ids: Sequence[str]) -> list[TaskRecord]:
        """Return the tasks of this account among ``task_ids``, in that order; others are left out."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hmget(TASK_PREFIX + task_id, READ_FIELDS)
            rows = pipeline.execute()
        records = (record_of(task_id, row) for task_id, row in zip(task_ids, rows, strict=True) if row[0])
        return [record for record in records if record.account_id == account_id]

    def end_overdue(self) -> int:
        """End the tasks that have not started before their deadline, at most a thousand; return how many."""
        with redis_errors_as_unavailable():
            found = self._find_overdue(keys=[DEADLINES_KEY], args=[TASK_PREFIX, MOST_OVERDUE_AT_ONCE])
        return sum(self._end_unrun(task_id.decode(), OVERDUE) for task_id in found)

    def _end_unrun(self, task_id: str, outcome: Outcome) -> bool:
        """End a task without a result, and count it, which workers do for those that they run."""
        with redis_errors_as_unavailable():
            row: list[Any] = self._redis.hmget(TASK_PREFIX + task_id, ("kind", "network", "account"))
        ended = self.finish(task_id, None, outcome)
        if ended and self._telemetry is not None:
            kind, network, account = row
            self._telemetry.count_unrun(task_id, kind.decode(), int(network), int(account), outcome)
        return ended

    # For the workers: claim, renew, finish, postpone.

    def claim(
        self, task_id: str, worker: str, lease_seconds: float, max_attempts: int, *, alone: bool = False
    ) -> ClaimedTask | None:
        """Take a pending task under a lease; ``None`` if it has ended, is gone, or another worker holds it.

        Raises:
            LastAttempt: if this would be its last attempt, not its first, and the worker is not ``alone`` with it.
            AttemptsExhausted: if it has been claimed ``max_attempts`` times before.
        """
        [claim] = self.claim_many([task_id], worker, lease_seconds, max_attempts, alone=alone)
        if isinstance(claim, Exception):
            raise claim
        return claim

    def claim_many(
        self, task_ids: Sequence[str], worker: str, lease_seconds: float, max_attempts: int, *, alone: bool = False
    ) -> list[ClaimedTask | AttemptsExhausted | LastAttempt | None]:
        """Take pending tasks, each as ``claim`` does or with its error, in one round trip."""
        arguments: list[Any] = [worker, lease_seconds, max_attempts, WAITING_PREFIX, int(alone)]
        with redis_errors_as_unavailable():
            answers = self._claim.run_many([claim_call(task_id, arguments) for task_id in task_ids])
        return [self._claimed(task_id, *answer) for task_id, answer in zip(task_ids, answers, strict=True)]

    def _claimed(
        self, task_id: str, verdict: bytes, *record: Any
    ) -> ClaimedTask | AttemptsExhausted | LastAttempt | None:
        if verdict == b"overdue":
            self._end_unrun(task_id, OVERDUE)
        if verdict == b"last":
            return LastAttempt(task_id)
        if not record:
            return None
        attempt, fence, kind, request, inputs, account, queued_seconds, cost = record
        task = ClaimedTask(
            id=task_id,
            account_id=int(account),
            kind=TaskKind(kind.decode()),
            attempt=attempt,
            fence=fence,
            request=orjson.loads(request),
            inputs=inputs,
            queued_seconds=max(0.0, float(queued_seconds)),
            cost=Cost.from_text(cost),
        )
        return AttemptsExhausted(task) if verdict == b"exhausted" else task

    def finish(self, task_id: str, fence: int | None, outcome: Outcome) -> bool:
        """End a task and drop its inputs; true if this call ended it.

        With the ``fence`` of a claim, the outcome counts only if there was no later claim.
        """
        [ended] = self.finish_many([Ending(task_id, fence, outcome)])
        return ended

    def finish_many(self, endings: Sequence[Ending]) -> list[bool]:
        """End tasks, each as ``finish`` does, in one round trip."""
        with redis_errors_as_unavailable():
            answers = self._finish.run_many([finish_call(each, self._ttl) for each in endings])
        return [bool(answer) for answer in answers]

    def renew(self, claimed: Iterable[ClaimedTask], lease_seconds: float) -> None:
        """Extend the leases of tasks that are being worked on, unless there was a later claim."""
        claims = [value for task in claimed for value in (task.id, task.fence)]
        with redis_errors_as_unavailable():
            self._renew(keys=[LEASES_KEY], args=[TASK_PREFIX, lease_seconds, *claims])

    def postpone(self, claimed: ClaimedTask) -> None:
        """Let a task be tried again when its lease has run out, as if it had not been tried now."""
        with redis_errors_as_unavailable():
            self._postpone(keys=[TASK_PREFIX + claimed.id], args=[claimed.fence])

    def count_attempt(self, claimed: ClaimedTask) -> bool:
        """Count an attempt that was postponed and is made now; false if the task is not this worker's any more."""
        with redis_errors_as_unavailable():
            return bool(self._count_attempt(keys=[TASK_PREFIX + claimed.id], args=[claimed.fence]))
