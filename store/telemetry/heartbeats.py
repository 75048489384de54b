"""Which workers live, and how they are: each writes a heartbeat every second that expires by itself.

Keys: ``recoq:worker:<id>`` (JSON, gone ten seconds after the last beat), ``recoq:workers`` (sorted by the last beat).
"""

from dataclasses import asdict, dataclass
from typing import Any

import orjson
from redis import Redis

from store.redis_connection import redis_errors_as_unavailable

WORKER_PREFIX = "recoq:worker:"
WORKERS_KEY = "recoq:workers"
EXPIRY_SECONDS = 10


@dataclass(frozen=True)
class Heartbeat:
    """A worker process as it was a moment ago.

    Memory is that of the device: of the GPU, by all processes together; on a CPU, of the process and of the machine.
    ``busy_share`` is the share of the last seconds in which the device ran a batch for this process. ``tasks`` are
    those under way, ``threads`` how many there can be. ``sandbox_missing`` says in a sentence what of its confinement
    the kernel does not do, and is None where it does all. Of the cache are the bytes that loaded networks take, and
    that they may. Times are seconds since the epoch.
    """

    worker: str
    host: str
    process_id: int
    version: str
    device: str
    device_name: str
    memory_used_bytes: int
    memory_total_bytes: int
    networks: list[int]
    cache_used_bytes: int
    cache_budget_bytes: int
    tasks: int
    threads: int
    sandbox_missing: str | None
    busy_share: float
    batches: int
    inputs: int
    loads: int
    started: float
    seen: float

    @property
    def is_busy(self) -> bool:
        """Whether it has a task under way."""
        return self.tasks > 0


class Heartbeats:
    """Writes and reads heartbeats."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a heartbeat, and forget workers that have gone silent."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            now, _ = self._redis.time()  # clocks of hosts may differ
            pipeline.set(WORKER_PREFIX + heartbeat.worker, orjson.dumps(asdict(heartbeat)), ex=EXPIRY_SECONDS)
            pipeline.zadd(WORKERS_KEY, {heartbeat.worker: now})
            pipeline.zremrangebyscore(WORKERS_KEY, "-inf", now - 2 * EXPIRY_SECONDS)
            pipeline.execute()

    def forget(self, worker: str) -> None:
        """Note that a worker has stopped."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(WORKER_PREFIX + worker)
            pipeline.zrem(WORKERS_KEY, worker)
            pipeline.execute()

    def living(self) -> list[Heartbeat]:
        """Return the latest heartbeats of the workers that live, by name."""
        with redis_errors_as_unavailable():
            names: Any = self._redis.zrange(WORKERS_KEY, 0, -1)
            beats = self._redis.mget([WORKER_PREFIX.encode() + name for name in sorted(names)]) if names else []
        return [heartbeat for beat in beats if beat is not None and (heartbeat := _heartbeat(beat))]


def _heartbeat(beat: bytes | str) -> Heartbeat | None:
    try:
        return Heartbeat(**orjson.loads(beat))
    except TypeError:  # other fields: a worker of another release, which is about to be replaced
        return None
