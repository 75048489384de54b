"""Copies of remote weights stay within their budget, and what a killed upload left in the object store goes."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from store.records import StoredFile
from store.remote_weights import MARKS
from store.weight_copies import IN_USE_SECONDS, WeightCopies
from store.weight_places import UNFINISHED_SECONDS
from store.weights import WeightStore

FILE = StoredFile("a", 100, "not looked at here")


def fetched(copies: WeightCopies, key: str) -> Path:
    return copies.get(key, [FILE], lambda folder: (folder / "a").write_bytes(bytes(100)))


def age(folder: Path, key: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder / key, (then, then))


def keys(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_least_recently_used_copy_leaves_first(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=250)
    for seconds, key in ((5000, "first"), (4000, "second")):
        fetched(copies, key)
        age(tmp_path, key, seconds)
    fetched(copies, "first")  # used again: the second one is now the oldest
    age(tmp_path, "first", 3000)
    fetched(copies, "third")
    assert keys(tmp_path) == {"first", "third"}


def test_a_copy_that_may_be_just_being_loaded_stays(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=150)
    fetched(copies, "young")
    fetched(copies, "new")
    assert keys(tmp_path) == {"young", "new"}
    age(tmp_path, "young", IN_USE_SECONDS + 1)
    age(tmp_path, "new", IN_USE_SECONDS + 1)
    fetched(copies, "newest")
    assert keys(tmp_path) == {"newest"}


def test_a_network_larger_than_the_budget_is_copied_all_the_same(tmp_path: Path) -> None:
    assert (fetched(WeightCopies(tmp_path, budget_bytes=10), "large") / "a").stat().st_size == 100


def test_a_dropped_copy_is_gone_and_dropping_twice_is_no_error(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=1000)
    fetched(copies, "key")
    copies.drop("key")
    copies.drop("key")
    assert keys(tmp_path) == set()


# Uploads one file, tells when the first piece is there, and then waits to be killed.
UPLOAD = """
import io, sys, time
from pathlib import Path
import fsspec
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
WeightStore(sys.argv[1], Path("nowhere"), 1).save(parts, 1 << 40)
"""


def test_what_a_killed_upload_left_is_removed_a_day_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fsspec.config.conf, "file", {"auto_mkdir": True})
    root = tmp_path / "bucket"
    url = f"local://{root}"  # objects as files: what a killed process wrote can be looked at
    with subprocess.Popen([sys.executable, "-c", UPLOAD, url], stdout=subprocess.PIPE) as upload:
        assert upload.stdout is not None
        assert upload.stdout.readline() == b"under way\n"
        upload.kill()
    (mark,) = (root / MARKS).iterdir()
    begun, _, killed = mark.name.partition("-")
    assert {path.name for path in (root / killed).iterdir()} >= {"whole"}

    store = WeightStore(url, tmp_path / "cache", 1)
    first, _ = store.save([("a", io.BytesIO(b"1"))], 10)
    assert (root / killed).exists()  # it could still be under way
    mark.rename(mark.with_name(f"{int(begun) - UNFINISHED_SECONDS - 1}-{killed}"))
    second, _ = store.save([("a", io.BytesIO(b"1"))], 10)
    assert {path.name for path in root.iterdir()} == {MARKS, first, second}
    assert list((root / MARKS).iterdir()) == []


def test_an_upload_whose_mark_cannot_be_taken_away_is_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("The object store is away.")

    store = WeightStore(f"memory:///{tmp_path.name}", tmp_path, 1)
    monkeypatch.setattr(MemoryFileSystem, "rm_file", fail)
    with pytest.raises(Exception, match="not reachable"):
        store.save([("a", io.BytesIO(b"1"))], 10)
