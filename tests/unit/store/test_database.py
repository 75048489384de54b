"""The connection: transactions, and trouble that leaves as an error of the store."""

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from store import database as database_module
from store.database import Database
from store.errors import InvalidValue, StorageFull, StoreError, Unavailable
from store.tables import Account, Network
from tests.unit.store.registry import ME, Registry


def add_account(database: Database, name: str) -> None:
    with database.session() as session:
        session.add(Account(name=name, app_id=name))


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Account.name).order_by(Account.id)))


def end_connection(url: str, session: Session) -> None:
    """End the session's connection at the server, which does not tell the client."""
    backend = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(url) as killer:
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_a_session_commits_at_its_end(database: Database) -> None:
    add_account(database, "kept")
    assert names(database) == ["kept"]


def test_a_session_that_fails_leaves_nothing(database: Database) -> None:

    def fail() -> None:
        with database.session() as session:
            session.add(Account(name="lost", app_id="lost"))
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(database) == []


def test_errors_of_a_statement_pass_unchanged(database: Database) -> None:
    add_account(database, "twin")
    with pytest.raises(IntegrityError):
        add_account(database, "twin")
    with pytest.raises(SQLAlchemyError), database.reading() as session:
        session.execute(text("SELECT eggs FROM spam"))


def test_dates_are_read_back_aware_and_in_utc(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    with database.session() as session:
        session.add(Account(name="dated", app_id="dated", create_date=moment))
    with database.reading() as session:
        read = session.scalars(select(Account.create_date)).one()
    assert read == moment
    assert read.tzinfo is UTC


def test_check_passes_on_a_database_that_answers(database: Database) -> None:
    database.check()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/nothing", "sqlite:////proc/no/such/folder/recoq.db"])
def test_a_database_that_is_away_is_unavailable(url: str) -> None:
    database = Database(url)
    with pytest.raises(Unavailable, match=r"^The database is not reachable\.$"):
        database.check()
    with pytest.raises(Unavailable):
        add_account(database, "nobody")
    database.close()


def test_a_lost_connection_is_unavailable_once(clean_postgres_url: str) -> None:
    database = Database(clean_postgres_url)

    def lose_it() -> None:
        with database.session() as session:
            end_connection(clean_postgres_url, session)
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        lose_it()
    database.check()
    database.close()


def test_a_connection_that_died_idle_is_replaced(clean_postgres_url: str) -> None:
    database = Database(clean_postgres_url)
    with database.reading() as session:
        end_connection(clean_postgres_url, session)
    database.check()
    database.close()


def test_an_sqlite_file_that_another_holds_for_too_long_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MILLISECONDS", 50)
    database = Database(sqlite_url)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        add_account(database, "late")
    assert names(database) == []  # reading goes on meanwhile
    holder.close()
    database.close()


def test_sqlite_writers_wait_for_each_other(sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def read_and_write(number: int) -> None:
        for round_ in range(10):
            with database.session() as session:
                session.scalars(select(Account)).all()
                session.add(Account(name=f"{number}-{round_}", app_id=f"{number}-{round_}"))

    threads = [threading.Thread(target=read_and_write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 40
    database.close()


def test_a_full_disk_is_told_as_such(sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def fill_it() -> None:
        with database.session() as session:
            pages = session.execute(text("PRAGMA page_count")).scalar_one()
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.add(Account(name="x" * 100_000, app_id="x"))

    with pytest.raises(StorageFull, match="no room"):
        fill_it()
    database.close()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(registry: Registry, database: Database, number: float) -> None:
    with pytest.raises(InvalidValue, match="finite"):
        registry.add_network(ME, metadata={"number": number})


def test_text_with_lone_surrogates_is_refused(registry: Registry, database: Database) -> None:
    with pytest.raises(InvalidValue, match="surrogates"):
        registry.add_network(ME, name="\ud800")


def test_text_with_a_nul_is_refused_by_postgres(clean_postgres_url: str) -> None:
    database = Database(clean_postgres_url)
    with pytest.raises(InvalidValue, match="NUL"):
        add_account(database, "a\0b")
    database.close()


def test_json_is_read_back_as_it_was(registry: Registry, database: Database) -> None:
    metadata = {"z": 1, "a": [1.0, None, True, 2**60], "é\u0000\ud800": "🦊", "deep": {"b": {}, "a": []}}
    read = registry.networks.get(ME, registry.add_network(ME, metadata=metadata).id).metadata
    assert read == metadata
    assert list(read) == list(metadata)


def test_a_report_that_is_absent_is_null_in_sql(registry: Registry, database: Database) -> None:
    registry.add_network(ME)
    with database.reading() as session:
        assert session.scalars(select(Network.id).where(Network.deployment_report.is_(None))).all()


@pytest.mark.parametrize("url", ["nonsense", "mysql://me@here/there", "postgresql+nonsense://me@here/there"])
def test_urls_of_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="database URL must be"):
        Database(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_an_sqlite_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="must be a file"):
        Database(url)


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(StoreError, match="needs the Python package psycopg2"):
        Database("postgresql+psycopg2://me@here/there")


def test_opening_a_database_does_not_make_its_file(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / 'recoq.db'}").close()
    assert list(tmp_path.iterdir()) == []


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from sqlalchemy import text
from store.database import Database

database = Database(sys.argv[1], 4)

def sleep() -> None:
    with database.reading() as session:
        session.execute(text("SELECT pg_sleep(0.5)"))

start = time.monotonic()
sleeping = [gevent.spawn(sleep) for _ in range(8)]
gevent.joinall(sleeping, raise_error=True)
print(time.monotonic() - start)
"""


def test_postgres_serves_greenlets_side_by_side_within_its_connections(migrated_postgres_url: str) -> None:
    command = [sys.executable, "-c", GREENLETS, migrated_postgres_url]
    seconds = float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert 1.0 <= seconds < 4.0  # eight of 0.5 s, four at a time; one after the other it would be 4 s
