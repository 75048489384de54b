"""How fast tasks end, as the ledger counts it: for the ``Retry-After`` of a full queue, and to see that it moves.

The ledger counts by the clock of Redis, so that is asked here as well.
"""

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
        return self._ended(periods, account)[0]

    def rate(self, periods: int, account: str = ALL) -> float:
        """Return how many tasks a second ended in these periods."""
        ended, seconds = self._ended(periods, account)
        return ended / seconds

    def _ended(self, periods: int, account: str) -> tuple[int, float]:
        """Return how many tasks ended in these periods and the current one, and in how many seconds."""
        with redis_errors_as_unavailable():
            seconds, microseconds = self._redis.time()
            current = seconds // PERIOD_SECONDS
            with self._redis.pipeline(transaction=False) as pipeline:
                for past in range(periods + 1):
                    pipeline.hget(f"{DRAINED_PREFIX}{current - past}", account)
                ended = sum(int(count or 0) for count in pipeline.execute())
        return ended, periods * PERIOD_SECONDS + seconds % PERIOD_SECONDS + microseconds / 1_000_000
