"""Finds the tasks that were lost on their way: with a dead worker, or with a message that the broker dropped.

Part of the ledger, for the workers' reconciler. Its cost is bounded: it looks at leases that ran out and at the oldest
end of each line, never at all tasks that wait.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from config.queues import EARLIER_QUEUES, RECOVERY_QUEUE, TaskKind
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import LEASES_KEY, MISSING_KEY, TASK_PREFIX, WAITING_PREFIX
from store.task_records import ClaimedTask, FreeTask

MOST_AT_ONCE = 2000
SLACK_SECONDS = 1.0  # a message that is put back follows its record by a moment


class TaskRecovery:
    """Makes tasks free again that were not finished where they were; safe to share between threads.

    Free tasks wait in ``RECOVERY_QUEUE``: whoever asked for them has to enqueue them there.
    """

    def __init__(self, redis: Redis) -> None:
        self._find_lost = ledger_script(redis, "clock", "when_full", "turns", "find_lost")
        self._release = ledger_script(redis, "clock", "when_full", "turns", "release")

    def find_lost(self, missing_for_seconds: float) -> list[FreeTask]:
        """Return pending tasks that nothing will start unless they are enqueued again, a few thousand at most.

        These are the tasks whose lease ran out, and those that still wait ``missing_for_seconds`` after a call of this
        method saw that they have no message. They are returned once.
        """
        arguments: list[Any] = [TASK_PREFIX, WAITING_PREFIX, missing_for_seconds]
        arguments += [SLACK_SECONDS, MOST_AT_ONCE, RECOVERY_QUEUE, *EARLIER_QUEUES]
        with redis_errors_as_unavailable():
            return _free_tasks(self._find_lost(keys=[LEASES_KEY, MISSING_KEY], args=arguments))

    def release(self, claimed: Sequence[ClaimedTask]) -> list[FreeTask]:
        """Give back tasks that were claimed and will not be finished, as if they had not been tried.

        Returns those that are free now; the others were ended or taken away before.
        """
        claims = [value for task in claimed for value in (task.id, task.fence)]
        arguments = [TASK_PREFIX, WAITING_PREFIX, RECOVERY_QUEUE, *claims]
        with redis_errors_as_unavailable():
            return _free_tasks(self._release(keys=[LEASES_KEY], args=arguments))


def _free_tasks(flat: Sequence[bytes]) -> list[FreeTask]:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [FreeTask(task_id.decode(), TaskKind(kind.decode())) for task_id, kind in pairs]
