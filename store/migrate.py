"""Brings a database to the newest schema: ``recoq up``, ``recoq migrate`` and every start of a service call it.

Configured in code, so an installed package needs no file beside it. To write a new revision, give
``alembic.command.revision`` the configuration of ``migration_config`` on a connection to an up-to-date database.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from store.availability.outages import note
from store.database import database_errors_as_store_errors, make_engine
from store.errors import StoreError, Unavailable

WAIT_SECONDS = 1.0
ADVISORY_LOCK = 0x7265636F71  # any number will do, as long as nobody else in the database uses it

DAMAGED = "The database cannot be used: it is damaged, not a database of Recoq, or may not be changed by this user."
NOT_YET = "There is no database of Recoq yet. Create it with: recoq migrate"


def migrate(database_url: str) -> None:
    """Bring the database to the newest schema, making an SQLite file and its folder where there is none.

    Processes that start at once wait for each other, and all but the first find nothing to do. A failed migration
    leaves the schema as it was.

    Raises:
        Unavailable: if the database cannot be reached.
        StoreError: if it is no database, not one of Recoq's, or that of a newer Recoq.
    """
    # SQLite changes a table by dropping its old copy, which would delete what refers to it.
    engine = make_engine(database_url, foreign_keys=False)
    try:
        with database_errors_as_store_errors(), _alone(engine), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            _upgrade(connection)
    except SQLAlchemyError as error:
        raise StoreError(DAMAGED) from error
    finally:
        engine.dispose()


def require_current_schema(database_url: str) -> None:
    """Return if the database has the schema that this code was written for; changes nothing.

    Raises:
        Unavailable: if the database cannot be reached.
        StoreError: if it has to be created or migrated first.
    """
    engine = make_engine(database_url)
    try:
        # SQLite would make an empty file where there is none.
        if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
            raise StoreError(NOT_YET)
        with database_errors_as_store_errors(), engine.connect() as connection:
            current = set(MigrationContext.configure(connection).get_current_heads())
            newest = set(ScriptDirectory.from_config(migration_config(connection)).get_heads())
    except SQLAlchemyError as error:
        raise StoreError(DAMAGED) from error
    finally:
        engine.dispose()
    if not current:
        raise StoreError(NOT_YET)
    if current != newest:
        raise StoreError("The database is that of another release of Recoq. Bring it up to date with: recoq migrate")


def wait_for_current_schema(database_url: str) -> None:
    """Return as soon as the database can be reached, if it has the schema that this code was written for.

    For processes that serve: they wait at their start as they do later.

    Raises:
        StoreError: if it has to be created or migrated first.
    """
    while True:
        try:
            require_current_schema(database_url)
        except Unavailable as error:
            note(error)
            time.sleep(WAIT_SECONDS)
        else:
            return


def migration_config(connection: Connection) -> Config:
    """Return Alembic's configuration for its commands on ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = migration_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise StoreError(
            f"The database is that of a newer Recoq (its revision is {', '.join(sorted(unknown))}): upgrade this one."
        )
    command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep other processes from preparing the same SQLite file meanwhile; PostgreSQL has a lock of its own.

    The change to the write-ahead log is no part of a transaction and does not wait for other processes, therefore
    the lock is a file beside the database.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    file = Path(str(engine.url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_name(f"{file.name}.lock").open("ab")
    except OSError as error:
        raise Unavailable("The folder of the database cannot be written to.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.execution_options(sqlite_transactions=False).connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        yield
