"""A PostgreSQL that is frozen is an error, for one caller after a time-out and for the others at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import psycopg
import pytest
from sqlalchemy import text

from store import database
from store.database import Database
from store.errors import Unavailable

ANSWER_SECONDS = 1.0
WAIT_SECONDS = 30
READERS = 8


@pytest.fixture
def postmaster(migrated_postgres_url: str) -> Iterator[psutil.Process]:
    """The server's first process; all of them go on after the test."""
    with psycopg.connect(migrated_postgres_url) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    yield postmaster
    thaw(postmaster)


def freeze(postmaster: psutil.Process) -> None:
    postmaster.suspend()
    for process in postmaster.children():
        process.suspend()


def thaw(postmaster: psutil.Process) -> None:
    for process in (*postmaster.children(), postmaster):
        with suppress(psutil.NoSuchProcess):
            process.resume()


def read(opened: Database) -> None:
    with opened.reading() as session:
        session.execute(text("SELECT 1"))


def seconds_until_refused(opened: Database) -> float:
    start = time.monotonic()
    with pytest.raises(Unavailable):
        read(opened)
    return time.monotonic() - start


def test_frozen_server_is_refused_for_all_after_one_time_out(
    migrated_postgres_url: str, postmaster: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", ANSWER_SECONDS)
    monkeypatch.setattr(database, "HANGING_SECONDS", ANSWER_SECONDS)
    opened = Database(migrated_postgres_url)
    read(opened)
    freeze(postmaster)
    assert seconds_until_refused(opened) >= ANSWER_SECONDS
    with ThreadPoolExecutor(READERS) as pool:
        assert max(pool.map(seconds_until_refused, [opened] * 4 * READERS)) < ANSWER_SECONDS
    thaw(postmaster)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            read(opened)
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    opened.close()


def test_slow_statement_is_given_up(migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.3)
    opened = Database(migrated_postgres_url)
    with pytest.raises(Unavailable), opened.reading() as session:
        session.execute(text("SELECT pg_sleep(20)"))
    read(opened)
    opened.close()
