"""The errors of the last hour, by account, network and sentence, so that a person sees what goes wrong and for whom.

Sentences that differ in long numbers only are one group, with the latest of them as its example. Keys, for each five
minutes: ``recoq:errors:<n>:counts`` and ``recoq:errors:<n>:latest`` (hashes by group), which expire.
"""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from redis import Redis

from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable

PREFIX = "recoq:errors:"
BUCKET_SECONDS = 300
KEPT_SECONDS = 3600
MOST_GROUPS = 200  # of one bucket: a client that fails in ever new ways must not fill the memory
LONGEST_SENTENCE = 300
_LONG_NUMBER = re.compile(r"\d{4,}|\d+x\d+|\d+\.\d+")


@dataclass(frozen=True)
class ErrorGroup:
    """Tasks of one account and network that ended with the same sentence; what is not counted is the latest's."""

    account_id: int
    network_id: int
    sentence: str
    count: int
    seen: float
    task_id: str


class ErrorTally:
    """Groups errors in memory until they are sent; safe to share between threads."""

    def __init__(self) -> None:
        self._groups: dict[bytes, ErrorGroup] = {}
        self._lock = threading.Lock()

    def count(self, account_id: int, network_id: int, sentence: str, task_id: str) -> None:
        """Count a task that ended as an error."""
        sentence = sentence[:LONGEST_SENTENCE]
        key = orjson.dumps([account_id, network_id, _LONG_NUMBER.sub("#", sentence)])
        with self._lock:
            known = self._groups.get(key)
            if known is not None or len(self._groups) < MOST_GROUPS:
                count = 1 if known is None else known.count + 1
                self._groups[key] = ErrorGroup(account_id, network_id, sentence, count, time.time(), task_id)

    def take(self) -> dict[bytes, ErrorGroup]:
        """Return what was counted since the last call, and begin anew."""
        with self._lock:
            taken, self._groups = self._groups, {}
        return taken


class RecentErrors:
    """Adds up the errors of all processes and reads them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note = ledger_script(redis, "note_errors")

    def add(self, groups: Mapping[bytes, ErrorGroup]) -> None:
        """Add what a process has counted."""
        arguments: list[Any] = [KEPT_SECONDS + BUCKET_SECONDS, MOST_GROUPS]
        for key, group in groups.items():
            arguments += [key, group.count, orjson.dumps([group.sentence, group.seen, group.task_id])]
        with redis_errors_as_unavailable():
            self._note(keys=list(_keys(_current())), args=arguments)

    def read(self) -> list[ErrorGroup]:
        """Return the groups of the last hour, the latest first."""
        newest = _current()
        numbers = range(newest - KEPT_SECONDS // BUCKET_SECONDS, newest + 1)
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for number in numbers:
                for key in _keys(number):
                    pipeline.hgetall(key)
            rows = pipeline.execute()
        found: dict[bytes, ErrorGroup] = {}
        for counts, latest in zip(rows[::2], rows[1::2], strict=True):
            for key, count in counts.items():
                group = _group(key, int(count), latest.get(key))
                earlier = found.get(key)
                found[key] = group if earlier is None else replace(group, count=group.count + earlier.count)
        return sorted(found.values(), key=lambda group: group.seen, reverse=True)


def _current() -> int:
    return int(time.time()) // BUCKET_SECONDS


def _keys(number: int) -> tuple[str, str]:
    return f"{PREFIX}{number}:counts", f"{PREFIX}{number}:latest"


def _group(key: bytes, count: int, latest: bytes | None) -> ErrorGroup:
    account_id, network_id, pattern = orjson.loads(key)
    sentence, seen, task_id = orjson.loads(latest) if latest is not None else (pattern, 0.0, "")
    return ErrorGroup(account_id, network_id, sentence, count, seen, task_id)
