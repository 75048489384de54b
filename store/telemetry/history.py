"""The sums of all processes' tallies: in total, and in buckets of ten seconds for one hour.

Keys: ``recoq:totals`` (hash), ``recoq:history:<n>`` (hash of the ``n``-th ten seconds since the epoch, which expires).
A bucket has the fields of the totals, and what a process has seen of the queue once in that time.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from redis import Redis

from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.telemetry.readings import Readings
from store.telemetry.tally import Changes

TOTALS_KEY = "recoq:totals"
BUCKET_PREFIX = "recoq:history:"
WATCHED_PREFIX = "recoq:watched:"
BUCKET_SECONDS = 10
KEPT_SECONDS = 3600
SETTLED_SECONDS = 10  # so long after its end, nothing is added to a bucket any more: a reporter is never this late
PENDING_FIELD = "pending"
OLDEST_FIELD = "oldest"


@dataclass(frozen=True)
class Bucket:
    """Ten seconds of the service.

    ``pending`` and ``oldest_seconds`` are how many tasks had not ended, and the age of the oldest of them; None when
    nobody looked.
    """

    start: int
    readings: Readings
    pending: int | None
    oldest_seconds: float | None


class History:
    """Adds to the sums and reads them; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = ledger_script(redis, "tally")
        self._settled: LRUCache[int, Bucket] = LRUCache(KEPT_SECONDS // BUCKET_SECONDS + 1)
        self._lock = threading.Lock()

    def add(self, changes: Changes) -> None:
        """Add what a process has tallied."""
        arguments: list[str | float] = [KEPT_SECONDS + BUCKET_SECONDS]
        for field, amount in changes.items():
            arguments += [field, amount]
        with redis_errors_as_unavailable():
            self._add(keys=[TOTALS_KEY, _key(current_bucket())], args=arguments)

    def is_to_watch(self, number: int) -> bool:
        """Return whether the caller is to note the queue in a bucket: true for one of all processes that ask."""
        with redis_errors_as_unavailable():
            return bool(self._redis.set(f"{WATCHED_PREFIX}{number}", 1, nx=True, ex=2 * BUCKET_SECONDS))

    def note_queue(self, number: int, pending: int, oldest_seconds: float) -> None:
        """Note in a bucket how many tasks have not ended, and how old the oldest of them is."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hset(_key(number), mapping={PENDING_FIELD: pending, OLDEST_FIELD: oldest_seconds})
            pipeline.expire(_key(number), KEPT_SECONDS + BUCKET_SECONDS)
            pipeline.execute()

    def totals(self) -> Readings:
        """Return all sums since Redis was new."""
        with redis_errors_as_unavailable():
            fields: Any = self._redis.hgetall(TOTALS_KEY)
        return Readings(fields)

    def last(self, seconds: int) -> list[Bucket]:
        """Return the buckets of the last ``seconds``, an hour at most, oldest first; the last one is not full yet."""
        newest = current_bucket()
        count = min(seconds, KEPT_SECONDS) // BUCKET_SECONDS
        numbers = range(newest - count + 1, newest + 1)
        with self._lock:
            known = {number: bucket for number in numbers if (bucket := self._settled.get(number))}
        read = self._read([number for number in numbers if number not in known])
        settled_before = (time.time() - SETTLED_SECONDS) // BUCKET_SECONDS
        with self._lock:
            self._settled.update({number: bucket for number, bucket in read.items() if number < settled_before})
        known.update(read)
        return [known[number] for number in numbers]

    def _read(self, numbers: list[int]) -> dict[int, Bucket]:
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for number in numbers:
                pipeline.hgetall(_key(number))
            rows = pipeline.execute()
        return {number: _bucket(number, row) for number, row in zip(numbers, rows, strict=True)}


def current_bucket() -> int:
    """Return the number of the bucket of this moment."""
    return int(time.time()) // BUCKET_SECONDS


def _key(number: int) -> str:
    return f"{BUCKET_PREFIX}{number}"


def _bucket(number: int, row: dict[bytes, bytes]) -> Bucket:
    pending, oldest = row.pop(PENDING_FIELD.encode(), None), row.pop(OLDEST_FIELD.encode(), None)
    return Bucket(
        start=number * BUCKET_SECONDS,
        readings=Readings(row),
        pending=None if oldest is None else int(pending or 0),
        oldest_seconds=None if oldest is None else float(oldest),
    )
