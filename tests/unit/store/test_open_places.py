"""A database or weights outside of the data folder that every user can read are named at the API's start."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings, read_settings
from store.open_places import warn_of_open_places


@pytest.fixture
def places() -> Iterator[Settings]:
    """Settings that name a database and weights where all users can go; pytest's own folders are closed."""
    with tempfile.TemporaryDirectory(prefix="recoq-public-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "recoq.db").touch()
        (folder / "weights").mkdir()
        yield replace(
            read_settings(),
            database_url=f"sqlite:///{folder / 'recoq.db'}",
            weights_url=(folder / "weights").as_uri(),
        )


def set_rights(places: Settings, database: int, weights: int) -> None:
    Path(places.database_url.removeprefix("sqlite:///")).chmod(database)
    Path(places.weights_url.removeprefix("file://")).chmod(weights)


def test_places_that_every_user_can_read_are_named(places: Settings, caplog: pytest.LogCaptureFixture) -> None:
    set_rights(places, 0o644, 0o755)
    warn_of_open_places(places)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "RECOQ_DATABASE_URL" in caplog.records[0].message
    assert "recoq.db" in caplog.records[0].message
    assert "RECOQ_WEIGHTS_URL" in caplog.records[1].message
    assert "chmod o-rwx" in caplog.records[1].message


def test_places_that_a_group_shares_are_meant(places: Settings, caplog: pytest.LogCaptureFixture) -> None:
    set_rights(places, 0o660, 0o2750)
    warn_of_open_places(places)
    assert not caplog.records


def test_places_that_are_not_files_or_not_there_yet_are_not_looked_at(
    places: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_open_places(
        replace(places, database_url="postgresql://nobody@127.0.0.1:9/nothing", weights_url="s3://bucket/weights")
    )
    warn_of_open_places(replace(places, database_url="sqlite:////no/such.db", weights_url="file:///no/such"))
    assert not caplog.records
