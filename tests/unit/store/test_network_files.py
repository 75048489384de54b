"""Files of networks: what a process that died left behind goes a day later, and nothing else does."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import select, update

from store.database import Database
from store.errors import StoreError, TooLarge, Unavailable
from store.network_files import ABANDONED_AFTER, NetworkFiles
from store.tables import UnnamedWeights, now
from store.weights import WeightStore
from tests.unit.store.registry import ME, Registry

# Uploads one file, tells when the first piece is there, and then waits to be killed.
UPLOAD = """
import io, sys, time
from pathlib import Path
import fsspec
from store.database import Database
from store.network_files import NetworkFiles
from store.weights import CHUNK_BYTES, WeightStore

class Endless(io.RawIOBase):
    pieces = 0
    def read(self, size=-1):
        self.pieces += 1
        if self.pieces > 2:
            print("under way", flush=True)
            time.sleep(600)
        return bytes(CHUNK_BYTES)

fsspec.config.conf["file"] = {"auto_mkdir": True}
parts = [("whole", io.BytesIO(b"1")), ("half", Endless())]
NetworkFiles(Database(sys.argv[1]), WeightStore(sys.argv[2], Path("nowhere"), 1)).save(parts, 1 << 40)
"""


class Place:
    """A weight store whose files can be looked at, though one of the two is to Recoq an object store."""

    def __init__(self, protocol: str, root: Path, database: Database) -> None:
        self.url, self.root, self.database = f"{protocol}://{root}", root, database
        self.store = WeightStore(self.url, root.with_name("cache"), 1)
        self.files = NetworkFiles(database, self.store)

    def save(self) -> str:
        return self.files.save([("a", io.BytesIO(b"1"))], 10)[0]

    def holds(self) -> set[str]:
        """Return the names of all files, each with its folder."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def noted(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(UnnamedWeights.key)))

    def a_day_passes(self) -> None:
        aged = update(UnnamedWeights).values(date=now() - ABANDONED_AFTER - timedelta(seconds=1))
        with self.database.session() as session:
            session.execute(aged)


@pytest.fixture(params=["file", "local"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    monkeypatch.setitem(fsspec.config.conf, "file", {"auto_mkdir": True})
    return Place(request.param, tmp_path / "weights", database)


def test_what_a_killed_upload_left_goes_a_day_later(place: Place, database_url: str) -> None:
    command = [sys.executable, "-c", UPLOAD, database_url, place.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as upload:
        assert upload.stdout is not None
        assert upload.stdout.readline() == b"under way\n"
        upload.kill()
    assert len(place.holds()) in (1, 2)  # an object appears when it is complete
    assert place.files.remove_abandoned() == 0  # it could still be under way
    assert len(place.holds()) in (1, 2)
    place.a_day_passes()
    assert place.files.remove_abandoned() == 1
    assert place.holds() == place.noted() == set()
    assert place.files.remove_abandoned() == 0


def test_files_that_no_network_came_to_name_go_a_day_later(place: Place) -> None:
    key = place.save()
    assert place.files.remove_abandoned() == 0
    assert place.holds() == {f"{key}/a"}
    place.a_day_passes()
    assert place.files.remove_abandoned() == 1
    assert place.holds() == place.noted() == set()


def test_files_of_a_network_stay(place: Place, registry: Registry) -> None:
    key = place.save()
    registry.add_network(ME, weights_key=key)
    assert place.noted() == set()
    with place.database.session() as session:
        session.add(UnnamedWeights(key=key))  # even if it were noted
    place.a_day_passes()
    assert place.files.remove_abandoned() == 0
    assert place.holds() == {f"{key}/a"}


def test_files_that_were_never_noted_belong_to_someone_else(place: Place) -> None:
    key, _ = place.store.save([("a", io.BytesIO(b"1"))], 10)
    os.utime(place.root / key, (0, 0))
    assert place.files.remove_abandoned() == 0
    assert place.holds() == {f"{key}/a"}


def test_files_of_a_deleted_network_go_though_its_process_died(place: Place, registry: Registry) -> None:
    key = place.save()
    registry.networks.delete(ME, registry.add_network(ME, weights_key=key).id)
    assert place.noted() == {key}
    place.a_day_passes()
    assert place.files.remove_abandoned() == 1
    assert place.holds() == place.noted() == set()


def test_deleted_files_are_not_looked_for_again(place: Place, registry: Registry) -> None:
    key = place.save()
    registry.networks.delete(ME, registry.add_network(ME, weights_key=key).id)
    place.files.delete(key)
    assert place.holds() == place.noted() == set()


def test_an_upload_that_fails_leaves_neither_files_nor_a_note(place: Place) -> None:
    with pytest.raises(TooLarge):
        place.files.save([("a", io.BytesIO(b"12"))], 1)
    assert place.holds() == place.noted() == set()


def test_an_upload_that_counted_as_abandoned_is_not_accepted(place: Place) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            place.a_day_passes()
            place.files.remove_abandoned()
            return super().read(size)

    with pytest.raises(Unavailable):
        place.files.save([("a", Slow(b"1")), ("b", io.BytesIO(b"2"))], 10)
    assert place.holds() == place.noted() == set()


def test_an_upload_without_the_database_stores_nothing(tmp_path: Path) -> None:
    database = Database("postgresql://nobody@127.0.0.1:9/nothing")
    place = Place("file", tmp_path / "weights", database)
    with pytest.raises(Unavailable):
        place.save()
    assert place.holds() == set()


def test_files_that_cannot_be_removed_are_removed_later(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    place.save()
    place.a_day_passes()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", fail)
        broken.setattr(type(fsspec.filesystem("local")), "rm", fail)
        with pytest.raises(StoreError):
            place.files.remove_abandoned()
    assert len(place.holds()) == 1
    assert place.files.remove_abandoned() == 1
    assert place.holds() == place.noted() == set()


def test_several_processes_may_remove_the_same_files(place: Place) -> None:
    for _ in range(20):
        place.save()
    place.a_day_passes()
    others = [threading.Thread(target=place.files.remove_abandoned) for _ in range(3)]
    for other in others:
        other.start()
    with contextlib.suppress(StoreError):
        place.files.remove_abandoned()
    for other in others:
        other.join()
    assert place.holds() == place.noted() == set()
