"""Bounds what waits: how many tasks and how many staged bytes may be pending, for one account and in all.

The counts are kept by the ledger's scripts (``lua/backlog.lua``); a task that would exceed a limit is refused in the
step that would have accepted it. Who is refused is told when to come back, from the rate at which tasks end.
"""

import math
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from redis import Redis

from config.settings import Settings
from store.drain import ALL, Drain
from store.errors import QueueFull, Unavailable
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import BACKLOG_KEY

DRAIN_PERIODS = 3  # of ten seconds make the rate
WORTHWHILE = 0.1  # come back when this part of what waits has drained
LONGEST_RETRY_SECONDS = 60
MEMORY_HEADROOM = 0.2  # of Redis' memory stays free for what was accepted: claims, results, messages
MEMORY_CHECK_SECONDS = 1.0
MEMORY = "memory"  # the limit that is Redis' own

SENTENCES = {
    "tasks": "The service has as many tasks waiting as it may have. Try again later.",
    "account_tasks": "Your account has as many tasks waiting as it may have. Try again when some have ended.",
    "staged_bytes": "The images that wait take up all the room there is for them. Try again later.",
    "account_staged_bytes": "The images of your account that wait take up all its room. Try again when some are done.",
    MEMORY: "The task queue has no memory left for more tasks. Try again later.",
}


@dataclass(frozen=True)
class BacklogLimits:
    """The most tasks and staged bytes that may be pending, in all and for each account."""

    tasks: int
    account_tasks: int
    staged_bytes: int
    account_staged_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "BacklogLimits":
        """Return the limits that the settings name."""
        return cls(
            settings.max_pending_tasks,
            settings.max_pending_tasks_per_account,
            settings.max_staged_bytes,
            settings.max_staged_bytes_per_account,
        )

    def as_json(self) -> bytes:
        """Return the limits as the scripts take them."""
        return orjson.dumps(asdict(self))


UNLIMITED = BacklogLimits(2**53, 2**53, 2**53, 2**53)  # as far as Lua counts


class Backlog:
    """What waits, and when it will be less; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._drain = Drain(redis)
        self._lock = threading.Lock()
        self._memory_checked_at = -math.inf
        self._has_memory = True

    def check_memory(self, account_id: int) -> None:
        """Raise ``QueueFull`` if Redis has little memory left; it is asked once a second at most."""
        with self._lock:
            due = time.monotonic() - self._memory_checked_at > MEMORY_CHECK_SECONDS
            if due:
                self._memory_checked_at = time.monotonic()
        if due:
            try:
                with redis_errors_as_unavailable():
                    memory = self._redis.info("memory")
            except Unavailable:
                self._memory_checked_at = -math.inf  # what was found before may have passed
                raise
            most = memory["maxmemory"]
            self._has_memory = most == 0 or memory["used_memory"] < (1 - MEMORY_HEADROOM) * most
        if not self._has_memory:
            raise self.refusal(MEMORY, account_id)

    def refusal(self, limit: str, account_id: int) -> QueueFull:
        """Return the error for a task of this account that would have exceeded a limit."""
        if limit == MEMORY:  # which results fill as well, and they stay for a while
            return QueueFull(SENTENCES[limit], LONGEST_RETRY_SECONDS)
        own = limit.startswith("account")
        return QueueFull(SENTENCES[limit], self._seconds_to_drain(str(account_id) if own else ALL))

    def _seconds_to_drain(self, account: str) -> int:
        """Return in how many seconds a worthwhile part of an account's backlog, or of all of it, will have drained."""
        with redis_errors_as_unavailable():
            waiting: Any = self._redis.hget(BACKLOG_KEY, "tasks" if account == ALL else f"tasks:{account}")
        rate = self._drain.rate(DRAIN_PERIODS, account)
        if not rate:
            return LONGEST_RETRY_SECONDS
        return min(max(1, math.ceil(WORTHWHILE * int(waiting or 0) / rate)), LONGEST_RETRY_SECONDS)
