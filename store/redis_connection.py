"""Connects to Redis so that a server that is away or frozen becomes an error within seconds, never a hang."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from store.errors import Unavailable

SOCKET_TIMEOUT_SECONDS = 2.0


def connect(url: str) -> redis.Redis:
    """Return a client of the Redis at ``url``; safe to share between threads, connects at first use.

    A command is tried once more on a new connection, because a pooled one may have died with a restarted server.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[redis.ConnectionError],
    )


@contextmanager
def redis_errors_as_unavailable() -> Iterator[None]:
    """Turn Redis being away, frozen, loading or full into the store's own error."""
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable("The task queue is not reachable.") from error
