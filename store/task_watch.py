"""Lets many requests wait for the ends of tasks, over one connection to Redis.

The ledger publishes the ID of a task that ends if anyone has asked for it. Whoever waits is woken by that; and as a
message may be lost, once a second one script asks the ledger for all that is waited for. The API has one watch in each
process; a waiting request costs an event, and no connection.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

from redis import Redis, RedisError
from redis.client import PubSub

from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import ENDED_CHANNEL, TASK_PREFIX, ledger_script

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0  # how much a lost message may cost
JOIN_SECONDS = 5.0  # above what a command takes while Redis is away
MOST_IDS_AT_ONCE = 1000  # in one script, during which Redis does nothing else


class TaskWatch:
    """The tasks that this process waits for; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._await = ledger_script(redis, "await")
        self._find_ended = ledger_script(redis, "find_ended")
        self._waiting: dict[str, set[threading.Event]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def wait(self, task_id: str, seconds: float) -> None:
        """Return when the task has ended or is gone, after ``seconds``, or when the watch stops.

        Raises:
            Unavailable: if Redis is away.
        """
        ended = threading.Event()
        with self._lock:
            self._waiting.setdefault(task_id, set()).add(ended)
            self._start()
        try:
            with redis_errors_as_unavailable():
                pending = self._await(keys=[TASK_PREFIX + task_id])
            if pending and not self._stopped.is_set():
                ended.wait(seconds)
        finally:
            self._forget(task_id, ended)

    def stop(self) -> None:
        """Let all who wait go on, and those who come later not wait."""
        self._stopped.set()
        with self._lock:
            self._wake(tuple(self._waiting))
            thread = self._thread
        if thread is not None:
            with contextlib.suppress(RedisError):
                self._redis.publish(ENDED_CHANNEL, "")  # wakes the thread
            thread.join(JOIN_SECONDS)

    def _start(self) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._watch, name="task-watch", daemon=True)
            self._thread.start()

    def _forget(self, task_id: str, ended: threading.Event) -> None:
        with self._lock:
            others = self._waiting.get(task_id, set())
            others.discard(ended)
            if not others:
                self._waiting.pop(task_id, None)

    def _wake(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            for ended in self._waiting.get(task_id, ()):
                ended.set()

    def _watch(self) -> None:
        """Listen and sweep until stopped, whatever becomes of Redis."""
        with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            while not self._stopped.is_set():
                try:
                    self._watch_for_a_while(subscription)
                except RedisError as error:
                    logger.warning("Ends of tasks are not heard of while Redis is away: %s", error)
                    self._stopped.wait(SWEEP_SECONDS)

    def _watch_for_a_while(self, subscription: PubSub) -> None:
        if not subscription.subscribed:
            subscription.subscribe(ENDED_CHANNEL)
        for task_id in self._heard(subscription):
            with self._lock:
                self._wake([task_id])
        with self._lock:
            asked = tuple(self._waiting)
        for start in range(0, len(asked), MOST_IDS_AT_ONCE):
            found = self._find_ended(args=[TASK_PREFIX, *asked[start : start + MOST_IDS_AT_ONCE]])
            with self._lock:
                self._wake([task_id.decode() for task_id in found])

    def _heard(self, subscription: PubSub) -> Iterator[str]:
        """Yield the IDs that are published until it is time to sweep."""
        end = monotonic() + SWEEP_SECONDS
        while (left := end - monotonic()) > 0 and not self._stopped.is_set():
            message = subscription.get_message(timeout=left)
            if message is not None:
                yield message["data"].decode()
