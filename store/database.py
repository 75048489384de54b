"""The connection to the SQL database: SQLite in a file by default, PostgreSQL by URL.

Each process makes one ``Database`` and hands it to the registry and the accounts. What the two databases differ in
is settled here, and what can be wrong with a connection leaves as an error of the store.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TypeVarTuple

from sqlalchemy import URL, Engine, Row, Select, create_engine, event, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from store.availability.database_states import NOT_REACHABLE, READ_ONLY, UNFIT, database_error
from store.availability.outages import answered, note
from store.circuit import Circuit
from store.errors import DatabaseAway, InvalidValue, StoreError, Unavailable

BUSY_TIMEOUT_MILLISECONDS = 5_000  # how long one SQLite writer waits for another
ANSWER_SECONDS = 5.0  # within which PostgreSQL answers a statement, or is away
AWAY_SECONDS = 5.0  # then, nothing is tried for so long
PROBE_SECONDS = 10.0
HANGING_SECONDS = 2.0  # who is refused sooner has lost no time
POOL_TIMEOUT_SECONDS = 5
MOST_CONNECTIONS = 64  # above the threads of a worker, so that none waits while the database is well

Columns = TypeVarTuple("Columns")


def _tell_nobody() -> None:
    """Nobody remembers what is in the database."""


class Database:
    """A pool of connections to one SQL database; safe to share between threads, connects at first use.

    ``on_change`` is called when changes have been committed. What is committed to a ``durable`` one survives a loss of
    power; without that, SQLite may forget the last seconds, and stays consistent.

    Raises:
        StoreError: if the URL cannot be used, or its driver is not installed.
    """

    def __init__(
        self,
        url: str,
        most_connections: int = MOST_CONNECTIONS,
        on_change: Callable[[], None] = _tell_nobody,
        *,
        durable: bool = False,
    ) -> None:
        self._on_change = on_change
        self._engine = make_engine(url, most_connections, answer_seconds=ANSWER_SECONDS, durable=durable)
        self._circuit = Circuit(AWAY_SECONDS, PROBE_SECONDS)
        # Single statements need no transaction of their own: without one, a read is a single round trip.
        if self._engine.dialect.name == "sqlite":
            self._reader = self._engine.execution_options(sqlite_transactions=False)
        else:
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session for changes, in one transaction: committed at the end, rolled back on any error.

        Raises:
            Unavailable: if the database cannot be reached, or another writer holds it for too long.
            StorageFull: if it has no room left.
            InvalidValue: if a value cannot be stored in it.
        """
        with (
            self._circuit_closed(),
            database_errors_as_store_errors(),
            Session(self._engine, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()
        self._on_change()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session for reads, each of them on its own; nothing is to be changed in it.

        Raises:
            Unavailable: if the database cannot be reached.
        """
        with (
            self._circuit_closed(),
            database_errors_as_store_errors(),
            Session(self._reader, expire_on_commit=False) as session,
        ):
            yield session

    def first(self, statement: Select[*Columns], values: Mapping[str, object]) -> Row[*Columns] | None:
        """Return the first row of a query of columns, at half the cost of a session.

        Raises:
            Unavailable: if the database cannot be reached.
        """
        with self._circuit_closed(), database_errors_as_store_errors(), self._reader.connect() as connection:
            return connection.execute(statement, values).first()

    def check(self) -> None:
        """Return if the database answers.

        Raises:
            Unavailable: if it does not.
        """
        with self.reading() as session:
            if self._engine.dialect.name == "sqlite":
                # A constant would be answered without a look at the file.
                session.execute(text("SELECT count(*) FROM sqlite_master"))
            else:
                session.execute(text("SELECT 1"))

    @contextmanager
    def _circuit_closed(self) -> Iterator[None]:
        """Do without the block while PostgreSQL is known not to answer; SQLite keeps nobody waiting for long."""
        if not self._circuit.allows():
            refusal = DatabaseAway(NOT_REACHABLE)
            note(refusal)
            raise refusal
        start, away = monotonic(), False
        try:
            yield
        except Unavailable as error:
            away = monotonic() - start >= HANGING_SECONDS and self._engine.dialect.name != "sqlite"
            if str(error) == READ_ONLY:  # another server may have taken over: connect to where its name leads by then
                self._engine.dispose()
            raise
        else:
            answered(DatabaseAway)
        finally:
            self._circuit.found(away=away)

    def close(self) -> None:
        """Close the idle connections; those in use close when they are given back."""
        self._engine.dispose()


def make_engine(
    url: str,
    most_connections: int = MOST_CONNECTIONS,
    *,
    foreign_keys: bool = True,
    answer_seconds: float | None = None,
    durable: bool = False,
) -> Engine:
    """Return an engine for the database at ``url``.

    With ``foreign_keys`` off, SQLite does not enforce them; if it is ``durable``, it waits for the disk. With
    ``answer_seconds``, a statement that PostgreSQL has not answered in that time fails.

    Raises:
        StoreError: if the URL cannot be used, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, foreign_keys=foreign_keys, durable=durable)
        if parsed.get_backend_name() != "postgresql":
            raise ArgumentError("not a supported database")
        from store.postgres import postgres_engine  # noqa: PLC0415 - needs a driver that is an extra

        return postgres_engine(parsed, most_connections, _to_json, answer_seconds)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"This database URL needs the Python package {error.name}: install Recoq with its extra named postgres."
        ) from error
    except ArgumentError as error:
        raise StoreError("The database URL must be sqlite:///<file> or postgresql://<user>@<host>/<name>.") from error


def _to_json(value: object) -> str:
    """Return the JSON text of a value: with ASCII escapes and finite numbers only, as both databases take it."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise InvalidValue(UNFIT) from error


def _sqlite_engine(url: URL, *, foreign_keys: bool, durable: bool) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise StoreError("An SQLite database must be a file, because several processes share it.")
    engine = create_engine(
        url, pool_size=MOST_CONNECTIONS, max_overflow=0, pool_timeout=POOL_TIMEOUT_SECONDS, json_serializer=_to_json
    )

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transactions begin late, at the first change: ours begin in `begin`, below.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes would fail at once, without a wait, when another wrote
        # in between. One that may write takes the writer's place at its start.
        if connection.get_execution_options().get("sqlite_transactions", True):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def database_errors_as_store_errors() -> Iterator[None]:
    """Turn trouble with the database itself into errors of the store, and note it for the operator.

    Errors of a statement pass unchanged.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        translated = database_error(error)
        if translated is None:
            raise
        if isinstance(translated, Unavailable):
            translated.__cause__ = getattr(error, "orig", None) or error
            note(translated)
        raise translated from error
    except UnicodeEncodeError as error:
        raise InvalidValue(UNFIT) from error
