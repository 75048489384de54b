"""Each state of a real database is the same to its users: it is away, and a sentence says in which state it is."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from store import database as module
from store.availability import database_states as states
from store.database import Database
from store.errors import DatabaseAway, StorageFull
from store.migrate import wait_for_current_schema
from store.tables import Account


@pytest.fixture
def postgres(clean_postgres_url: str) -> Iterator[Database]:
    database = Database(clean_postgres_url)
    yield database
    database.close()


@pytest.fixture
def sqlite(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MILLISECONDS", 50)
    database = Database(sqlite_url)
    yield database
    database.close()


def sentence_of(action: Callable[[], object]) -> str:
    with pytest.raises(DatabaseAway) as caught:
        action()
    return str(caught.value)


def write(database: Database) -> None:
    with database.session() as session:
        session.add(Account(name="anyone", app_id="anyone"))


def run(database: Database, statement: str) -> None:
    with database.session() as session:
        session.execute(text(statement))


def raise_state(database: Database, state: str) -> None:
    """Have PostgreSQL answer with an error of this SQLSTATE."""
    run(database, f"DO $$ BEGIN RAISE EXCEPTION 'as in a test' USING ERRCODE = '{state}'; END $$")


@pytest.fixture
def on_server(clean_postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(clean_postgres_url, autocommit=True) as connection:
        yield connection


def test_standby_is_read_only_until_it_is_promoted(postgres: Database, on_server: psycopg.Connection) -> None:
    name = on_server.info.dbname
    postgres.check()
    on_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        postgres.close()  # its connections were made before
        postgres.check()  # it can be read
        assert sentence_of(lambda: write(postgres)) == states.READ_ONLY
    finally:
        on_server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    write(postgres)  # over a new connection


def test_missing_rights_are_away(clean_postgres_url: str, on_server: psycopg.Connection) -> None:
    on_server.execute("CREATE ROLE guest LOGIN")
    guest = Database(clean_postgres_url.replace("postgres:", "guest:", 1).replace("//postgres@", "//guest@", 1))
    try:
        assert sentence_of(lambda: write(guest)) == states.NO_RIGHTS
    finally:
        guest.close()
        on_server.execute("DROP ROLE guest")


def test_too_many_clients_are_away(clean_postgres_url: str, on_server: psycopg.Connection) -> None:
    on_server.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    crowd = Database(clean_postgres_url.replace("postgres:", "crowd:", 1).replace("//postgres@", "//crowd@", 1))
    try:
        assert sentence_of(crowd.check) == states.CROWDED
    finally:
        crowd.close()
        on_server.execute("DROP ROLE crowd")


def test_own_connections_that_are_all_in_use_are_away(clean_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.postgres.POOL_TIMEOUT_SECONDS", 0.05)
    database = Database(clean_postgres_url, 1)
    with database.reading() as session:
        session.execute(text("SELECT 1"))
        assert sentence_of(database.check) == states.CROWDED
    database.close()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("57P03", states.STARTING),
        ("57P01", states.STARTING),
        ("40001", states.BUSY),
        ("40P01", states.BUSY),
        ("55P03", states.BUSY),
        ("57014", states.NO_ANSWER),
        ("53200", states.FAILING),
        ("58030", states.FAILING),
        ("XX001", states.FAILING),
    ],
)
def test_state_of_postgres_is_told(postgres: Database, state: str, sentence: str) -> None:
    assert sentence_of(lambda: raise_state(postgres, state)) == sentence
    postgres.check()


def test_full_disk_of_postgres_is_told(postgres: Database) -> None:
    with pytest.raises(StorageFull):
        raise_state(postgres, "53100")


def test_sqlite_file_that_is_locked_is_away(sqlite: Database, sqlite_url: str) -> None:
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert sentence_of(lambda: write(sqlite)) == states.LOCKED
    holder.close()
    write(sqlite)


def test_sqlite_file_that_is_read_only_is_away(sqlite: Database) -> None:
    with sqlite._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    assert sentence_of(lambda: write(sqlite)) == states.READ_ONLY
    write(sqlite)  # over a new connection


def test_full_disk_of_sqlite_is_told(sqlite: Database) -> None:
    with sqlite._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFull):
        run(
            sqlite,
            "CREATE TABLE large AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) "
            "SELECT x FROM n",
        )


def test_process_that_starts_waits_for_the_database(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.rename(tmp_path / "there")
    file.mkdir()
    waited: list[float] = []

    def come_back(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            file.rmdir()
            (tmp_path / "there").rename(file)

    monkeypatch.setattr("store.migrate.time.sleep", come_back)
    wait_for_current_schema(sqlite_url)
    assert len(waited) == 2
