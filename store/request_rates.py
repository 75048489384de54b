"""Bounds how many requests a second an account may make, over all API processes together.

The counting is that of the library ``limits``: a sliding window, in Redis.
"""

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import Redis, RedisError

from store.errors import RateExceeded

RETRY_AFTER_SECONDS = 1  # the window of the limit
KEY_PREFIX = "recoq:rate"


class RequestRates:
    """The requests of all accounts; safe to share between threads. A limit of 0 is none."""

    def __init__(self, redis: Redis, most_per_second: int) -> None:
        self._limit = RateLimitItemPerSecond(most_per_second) if most_per_second else None
        # The URL only names the kind of storage: the connections, and how they fail, are those of ``redis``.
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix=KEY_PREFIX)
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def count(self, account_id: int) -> None:
        """Count a request; while Redis is away, nothing is counted and nobody refused.

        Raises:
            RateExceeded: if the account has made as many in the last second as it may.
        """
        if self._limit is None:
            return
        try:
            allowed = self._limiter.hit(self._limit, str(account_id))
        except RedisError:
            return
        if not allowed:
            raise RateExceeded(
                f"Your account may make {self._limit.amount} requests a second, and has made as many.",
                RETRY_AFTER_SECONDS,
            )
