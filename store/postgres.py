"""The engine for PostgreSQL, with connections that do not wait for ever for a server that is frozen.

The driver is an extra of the installation, so this module is imported only where such a URL is given.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Engine, create_engine, event

CONNECT_TIMEOUT_SECONDS = 3
DEAD_PEER_MILLISECONDS = 10_000  # unacknowledged for this long, a connection counts as lost
POOL_TIMEOUT_SECONDS = 5
KEPT_CONNECTIONS = 8

T = TypeVar("T")


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has not answered a statement in time."""

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run one exchange with the server.

        Raises:
            psycopg.OperationalError: if it takes too long.
        """
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise


def postgres_engine(
    url: URL, most_connections: int, to_json: Callable[[object], str], answer_seconds: float | None
) -> Engine:
    """Return an engine whose statements take ``answer_seconds`` at most, or as long as they take."""
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    defaults: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": DEAD_PEER_MILLISECONDS,
        "application_name": "recoq",
    }
    engine = create_engine(
        url,
        connect_args={name: value for name, value in defaults.items() if name not in url.query},
        pool_size=min(KEPT_CONNECTIONS, most_connections),
        max_overflow=max(most_connections - KEPT_CONNECTIONS, 0),
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        json_serializer=to_json,
    )
    if answer_seconds is not None:

        def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> object:
            connection = ImpatientConnection.connect(*arguments, **options)
            connection.answer_seconds = answer_seconds
            return connection

        event.listen(engine, "do_connect", connect)
    return engine
