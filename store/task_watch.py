"""Lets many requests wait for the ends of tasks, over one connection to Redis.

The ledger publishes the ID of a task that ends on the channels of those who have asked for it. Whoever waits is woken
by that; and as a message may be lost, once a second one script asks the ledger for all that is waited for. The API has
one watch in each process; a waiting request costs an event, and no connection.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from time import monotonic
from uuid import uuid4

from redis import Redis, RedisError
from redis.client import PubSub

from store.errors import Unavailable
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import ENDED_PREFIX, TASK_PREFIX

SWEEP_SECONDS = 1.0  # how much a lost message may cost
JOIN_SECONDS = 5.0  # above what a command takes while Redis is away
MOST_IDS_AT_ONCE = 1000  # in one script, during which Redis does nothing else
MOST_EARLY = 10_000  # ends that are remembered for those who are about to wait; the sweep finds what was forgotten


class TaskWatch:
    """The tasks that this process waits for; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._await = ledger_script(redis, "await")
        self._find_ended = ledger_script(redis, "find_ended")
        self._channel = f"{ENDED_PREFIX}{uuid4().hex}"
        self._waiting: dict[str, set[threading.Event]] = {}
        self._ended_early: dict[str, None] = {}  # heard of before anyone waited, oldest first
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def channel(self) -> str:
        """Return where the ledger has to tell of the end of a task that is about to be accepted and waited for."""
        with self._lock:
            self._start()
        return self._channel

    def wait(self, task_id: str, seconds: float, *, announced: bool = False) -> None:
        """Return when the task has ended or is gone, after ``seconds``, or when the watch stops.

        With ``announced``, the ledger knows already that its end is to be told here.

        Raises:
            Unavailable: if Redis is away.
        """
        ended = threading.Event()
        with self._lock:
            self._start()
            if announced and task_id in self._ended_early:
                del self._ended_early[task_id]
                return
            self._waiting.setdefault(task_id, set()).add(ended)
        try:
            if (announced or self._announce(task_id)) and not self._stopped.is_set():
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
                self._redis.publish(self._channel, "")  # wakes the thread
            thread.join(JOIN_SECONDS)

    def _announce(self, task_id: str) -> bool:
        """Have the end of a task told here, and return whether it is still to come."""
        with redis_errors_as_unavailable():
            return bool(self._await(keys=[TASK_PREFIX + task_id], args=[self._channel]))

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
        with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            while not self._stopped.is_set():
                try:
                    with redis_errors_as_unavailable():
                        self._watch_for_a_while(subscription)
                except Unavailable:
                    self._stopped.wait(SWEEP_SECONDS)

    def _watch_for_a_while(self, subscription: PubSub) -> None:
        if not subscription.subscribed:
            subscription.subscribe(self._channel)
        for task_id in self._heard(subscription):
            with self._lock:
                if task_id in self._waiting:
                    self._wake([task_id])
                else:
                    self._remember_early(task_id)
        with self._lock:
            asked = tuple(self._waiting)
        for start in range(0, len(asked), MOST_IDS_AT_ONCE):
            found = self._find_ended(args=[TASK_PREFIX, *asked[start : start + MOST_IDS_AT_ONCE]])
            with self._lock:
                self._wake([task_id.decode() for task_id in found])

    def _remember_early(self, task_id: str) -> None:
        self._ended_early[task_id] = None
        if len(self._ended_early) > MOST_EARLY:
            del self._ended_early[next(iter(self._ended_early))]

    def _heard(self, subscription: PubSub) -> Iterator[str]:
        """Yield the IDs that are published until it is time to sweep."""
        end = monotonic() + SWEEP_SECONDS
        while (left := end - monotonic()) > 0 and not self._stopped.is_set():
            message = subscription.get_message(timeout=left)
            if message is not None:
                yield message["data"].decode()
