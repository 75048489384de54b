"""Connects to Redis so that a server that is away or frozen becomes an error within seconds, never a hang."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from store.availability.outages import answered, note
from store.availability.redis_states import NoAnswer, is_replaced, ledger_away
from store.circuit import Circuit
from store.errors import LedgerAway, LedgerFull

SOCKET_TIMEOUT_SECONDS = 2.0
MOST_CONNECTIONS = 64  # above the threads of a worker, far below the clients of an API process
TURN_SECONDS = 20.0  # how long a command may wait for others of its process before it has begun
AWAY_SECONDS = 1.0  # after a time-out, nothing is tried for so long
PROBE_SECONDS = 3.0  # then one caller tries, and the others wait for what it finds
SLOW_SECONDS = 1.0  # who is not to wait for more than 3 s in all, and has waited for so long, asks no more

T = TypeVar("T")
Clock = Callable[[], float]


_waited: ContextVar[list[float] | None] = ContextVar("waited", default=None)


def bound_waits() -> None:
    """Have what follows in this context wait for a slow Redis for ``SLOW_SECONDS`` and one time-out, in all, from now.

    For each request of the API: without it, every one of its commands may be answered just in time.
    """
    _waited.set([])


def unbound_waits(_: object = None) -> None:
    """Have what follows in this context wait as long as it takes again."""
    _waited.set(None)


class FailFast(Retry):
    """Tries a command twice, but not at all while the server is known not to answer.

    A pooled connection may have died with a restarted server, so a lost connection is worth a second try. A frozen
    server is not: without this, every thread would wait for its own time-out, and requests for the threads.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(NoBackoff(), 1, (redis.ConnectionError,))
        self._clock = clock
        self._circuit = Circuit(AWAY_SECONDS, PROBE_SECONDS)
        self._thread = threading.local()

    def __deepcopy__(self, memo: dict[int, Any]) -> "FailFast":
        return self  # redis-py copies it for each connection; what one of them finds is true for all

    def call_with_retry(self, do: Callable[[], T], fail: Callable[..., Any], *args: Any, **kwargs: Any) -> T:
        """Return what ``do`` returns."""
        if getattr(self._thread, "inside", False):  # a command that connects first
            return super().call_with_retry(do, fail, *args, **kwargs)
        if not self._circuit.allows():
            raise NoAnswer("Redis did not answer a moment ago.")
        waited = _waited.get()
        if waited is not None and sum(waited) > SLOW_SECONDS:
            raise NoAnswer("Redis is too slow to be asked once more.")
        self._thread.inside = True
        start = self._clock()
        try:
            result = super().call_with_retry(do, fail, *args, **kwargs)
        except redis.TimeoutError:
            # If this process was busy for most of the time, Redis may have answered long ago.
            self._circuit.found(away=self._clock() - start > SOCKET_TIMEOUT_SECONDS / 2)
            raise
        except redis.RedisError as error:
            self._circuit.found(away=False)
            if is_replaced(error):  # the connection is closed, and the next one goes to where its name leads by then
                fail(error, 1) if kwargs.get("with_failure_count") else fail(error)
            raise
        finally:
            self._thread.inside = False
            if waited is not None:
                waited.append(self._clock() - start)
        self._circuit.found(away=False)
        return result


class _Unprobed:
    """A connection that is not asked, each time it is taken from the pool, whether it is still alive.

    That takes a system call for each command. A connection that has died is found out by the command, which is then
    tried again (``FailFast``).
    """

    def can_read(self, timeout: float = 0) -> bool:
        """Tell whether something arrives within ``timeout``; False at once without one, as between commands."""
        return bool(timeout) and super().can_read(timeout)  # type: ignore[misc]


class _Connection(_Unprobed, redis.Connection):
    """Over TCP."""


class _SSLConnection(_Unprobed, redis.SSLConnection):
    """Over TLS."""


class _UnixConnection(_Unprobed, redis.UnixDomainSocketConnection):
    """Over a socket of this machine."""


CONNECTIONS = {"redis": _Connection, "rediss": _SSLConnection, "unix": _UnixConnection}


def connect(url: str, clock: Clock = monotonic) -> redis.Redis:
    """Return a client of the Redis at ``url``; safe to share between threads, connects at first use.

    When all connections are in use, a command waits for its turn. By the seconds of ``clock`` it is judged whether
    Redis is slow.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        connection_class=CONNECTIONS[urlsplit(url).scheme],
        max_connections=MOST_CONNECTIONS,
        timeout=TURN_SECONDS,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=FailFast(clock),
    )
    return redis.Redis.from_pool(pool)


@contextmanager
def redis_errors_as_unavailable() -> Iterator[None]:
    """Turn whatever is wrong with Redis into the store's own error, and note it for the operator.

    Raises:
        LedgerAway: if Redis is away, in whatever state.
        LedgerFull: if it has no memory for what was to be written.
    """
    try:
        yield
    except redis.RedisError as error:
        away = ledger_away(error)
        away.__cause__ = error
        note(away)
        raise away from error
    answered(LedgerAway, LedgerFull)
