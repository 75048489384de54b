"""The schema: made by migrations, the same as the tables in the code, on both databases."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect, text

from store.database import make_engine
from store.errors import StoreError, Unavailable
from store.migrate import migrate, migration_config, require_current_schema
from store.tables import Table

ONE_OF_SEVERAL = "import sys; from store.migrate import migrate; sys.stdin.readline(); migrate(sys.argv[1])"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def test_migrations_make_the_tables_of_the_code(empty_url: str) -> None:
    migrate(empty_url)
    with connected(empty_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_migrations_make_the_checks_of_the_code(empty_url: str) -> None:
    migrate(empty_url)
    with connected(empty_url) as connection:
        for table in Table.metadata.tables.values():
            made = {check["name"] for check in inspect(connection).get_check_constraints(table.name)}
            assert made == {check.name for check in table.constraints if isinstance(check, CheckConstraint)}


def test_a_migrated_database_is_left_as_it_is(database_url: str) -> None:
    migrate(database_url)
    with connected(database_url) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0004"]


def test_processes_that_migrate_at_once_all_succeed(empty_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ONE_OF_SEVERAL, empty_url], stdin=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:  # each starts when it has imported everything
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.close()
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    with connected(empty_url) as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_migrations_can_be_undone(empty_url: str) -> None:
    migrate(empty_url)
    with connected(empty_url) as connection:
        command.downgrade(migration_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate(empty_url)


def test_the_database_of_a_newer_recoq_is_refused(database_url: str) -> None:
    with connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    try:
        with pytest.raises(StoreError, match=r"newer Recoq \(its revision is f00d\)"):
            migrate(database_url)
    finally:
        with connected(database_url) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))


def test_a_service_runs_on_a_migrated_database_only(empty_url: str) -> None:
    with pytest.raises(StoreError, match="recoq migrate"):
        require_current_schema(empty_url)
    migrate(empty_url)
    require_current_schema(empty_url)


def test_a_database_of_something_else_is_refused_and_left_alone(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir(exist_ok=True)
    with connected(empty_url) as connection:
        connection.execute(text("CREATE TABLE specs (eggs INTEGER)"))
    with pytest.raises(StoreError, match="not a database of Recoq"):
        migrate(empty_url)
    with connected(empty_url) as connection:
        assert inspect(connection).get_table_names() == ["specs"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recoq.db"
    file.write_bytes(b"This is a letter to my aunt." * 100)
    with pytest.raises(StoreError, match="is damaged"):
        migrate(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"This is a letter")


def test_a_torn_database_is_refused(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.write_bytes(file.read_bytes()[:100] + b"\xff" * 10_000)
    with pytest.raises(StoreError, match="is damaged"):
        migrate(sqlite_url)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="folder of the database"):
        migrate(f"sqlite:///{tmp_path / 'file' / 'recoq.db'}")


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(Unavailable, match="not reachable"):
        migrate("postgresql://nobody@127.0.0.1:9/nothing")


def test_a_new_sqlite_file_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path / 'recoq.db'}")
    connection = sqlite3.connect(tmp_path / "recoq.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_task_ids_begin_above_those_that_networks_name(empty_url: str) -> None:
    with connected(empty_url) if empty_url.startswith("postgresql") else _new_file(empty_url) as connection:
        command.upgrade(migration_config(connection), "0003")
        for slug, task_id in (("a", "41"), ("b", None), ("c", "7")):
            connection.execute(
                text(
                    "INSERT INTO networks (slug, name, description, metadata, framework, preprocessing, input_count,"
                    " postprocessings, weights_key, files, task_id, deployment_status, create_date, update_date)"
                    " VALUES (:slug, '', '', '{}', '', '{}', 1, '[]', '', '[]', :task_id, '', :now, :now)"
                ),
                {"slug": slug, "task_id": task_id, "now": "2026-01-01 00:00:00"},
            )
        command.upgrade(migration_config(connection), "head")
        assert connection.execute(text("SELECT high_water FROM task_ids")).scalars().all() == [41]


def _new_file(url: str) -> AbstractContextManager[Connection]:
    Path(url.removeprefix("sqlite:///")).parent.mkdir()
    return connected(url)
