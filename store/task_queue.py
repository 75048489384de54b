"""Publishes task IDs to the workers, by task name, through Celery.

The API submits through it and the reconciler resumes lost tasks; neither imports the workers.
"""

import logging
import time

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from config.celery_options import celery_options
from config.queues import CELERY_TASK_NAMES, RECOVERY_QUEUE, WORKER_QUEUES, TaskKind
from config.settings import Settings
from store.errors import Unavailable
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import WAITING_PREFIX
from store.task_ledger import TaskLedger
from store.task_records import FreeTask, NewTask
from store.telemetry.series import ACCEPTED
from store.telemetry.tally import Tally

logger = logging.getLogger(__name__)

AT_ONCE_SECONDS = 0.5


class TaskQueue:
    """The way from an accepted task to a worker; safe to share between threads."""

    def __init__(self, settings: Settings, redis: Redis, ledger: TaskLedger, tally: Tally | None = None) -> None:
        self._celery = Celery("recoq", set_as_current=False)
        self._celery.conf.update(celery_options(settings))
        self._redis = redis
        self._ledger = ledger
        self._tally = tally

    def submit(self, new: NewTask) -> str:
        """Accept a task: record it, tell the workers, and return its ID.

        A task that was recorded is accepted, even if Redis goes away before the workers could be told: the reconciler
        finds it.

        Raises:
            QueueFull: if as much waits as may wait.
            Unavailable: if Redis is away; then the task was not accepted.
        """
        task_id = self._ledger.submit(new)
        if self._tally is not None:
            self._tally.count(ACCEPTED, new.kind.value, str(new.network_id))
        try:
            self._publish(new.kind, task_id, new.queue)
        except Unavailable:
            logger.warning("Task %s is recorded, but the workers could not be told; it will be found.", task_id)
        return task_id

    def resume(self, task: FreeTask) -> None:
        """Tell the workers of a task that was lost or given back, ahead of those that wait.

        Raises:
            Unavailable: if the message could not be sent.
        """
        self._publish(task.kind, task.id, RECOVERY_QUEUE)

    def _publish(self, kind: TaskKind, task_id: str, queue: str) -> None:
        """Send a message; once more if that fails at once, because the connection died with a restarted Redis."""
        start = time.monotonic()
        try:
            self._send(kind, task_id, queue)
        except Unavailable:
            if time.monotonic() - start > AT_ONCE_SECONDS:
                raise
            self._send(kind, task_id, queue)

    def _send(self, kind: TaskKind, task_id: str, queue: str) -> None:
        try:
            self._celery.send_task(
                CELERY_TASK_NAMES[kind],
                args=(task_id,),
                task_id=task_id,  # by which the reconciler knows the message
                queue=queue,
                retry=False,
                ignore_result=True,
            )
        except (OperationalError, RedisError, OSError) as error:
            raise Unavailable("The task queue is not reachable.") from error

    def depth(self) -> int:
        """Return how many tasks wait that no worker has claimed yet."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for queue in WORKER_QUEUES:
                pipeline.zcard(WAITING_PREFIX + queue)
            return sum(pipeline.execute())

    def close(self) -> None:
        """Close the connections to the broker."""
        self._celery.close()
