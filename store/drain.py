"""How fast tasks end, as the ledger counts it: for the ``Retry-After`` of a full queue, and to see that it moves."""

import time

from redis import Redis

from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import DRAINED_PREFIX

PERIOD_SECONDS = 10  # by which lua/backlog.lua counts
KEPT_PERIODS = 6
ALL = "all"


class Drain:
    """Reads the counts; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def ended(self, periods: int = KEPT_PERIODS, account: str = ALL) -> int:
        """Return how many tasks of this account, or of all, ended in the current period and as many before it."""
        current = int(time.time() // PERIOD_SECONDS)
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            for past in range(periods + 1):
                pipeline.hget(f"{DRAINED_PREFIX}{current - past}", account)
            return sum(int(count or 0) for count in pipeline.execute())

    def rate(self, periods: int, account: str = ALL) -> float:
        """Return how many tasks a second ended in these periods."""
        return self.ended(periods, account) / (periods * PERIOD_SECONDS + time.time() % PERIOD_SECONDS)
