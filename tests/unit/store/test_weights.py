"""The weight store: files appear whole or not at all, on disk and in an object store (fsspec's, in memory)."""

import errno
import hashlib
import io
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from store.errors import Damaged, InvalidValue, NotFound, StorageFull, StoreError, TooLarge, Unavailable
from store.weights import CHUNK_BYTES, WeightStore
from tests.files import rights

LIMIT = 10 * CHUNK_BYTES
CACHE_BYTES = 100 * CHUNK_BYTES
BIG = bytes(range(256)) * (CHUNK_BYTES // 128)


class Place:
    """A weight store, and a look behind it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.cache = folder / "cache"
        self.root = f"/{uuid.uuid4().hex}" if kind == "memory" else str(folder / "weights")
        self.files: Any = fsspec.filesystem(kind)
        self.store = WeightStore(f"{kind}://{self.root}", self.cache, CACHE_BYTES)

    def everything(self) -> list[str]:
        """Return the paths of all that lies there, folders on disk too."""
        if not self.files.exists(self.root):
            return []
        return sorted(set(self.files.find(self.root, withdirs=True)) - {self.root})


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = Place(request.param, tmp_path)
    yield place
    if place.files.exists(place.root):
        place.files.rm(place.root, recursive=True)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Place]:
    place = Place("memory", tmp_path)
    yield place
    if place.files.exists(place.root):
        place.files.rm(place.root, recursive=True)


def part(name: str, data: bytes) -> tuple[str, BinaryIO]:
    return name, io.BytesIO(data)


class Interrupted(io.RawIOBase):
    """A body whose sender goes away after the first piece."""

    def __init__(self) -> None:
        self._pieces = 0

    def read(self, _size: int = -1) -> bytes:
        self._pieces += 1
        if self._pieces > 1:
            raise ConnectionResetError(errno.ECONNRESET, "The sender went away.")
        return b"x" * CHUNK_BYTES


def test_files_are_read_back_as_they_were_saved(place: Place) -> None:
    key, files = place.store.save([part("model.pt2", BIG), part("mean file (1).npy", b"")], LIMIT)
    assert [(file.name, file.size) for file in files] == [("model.pt2", len(BIG)), ("mean file (1).npy", 0)]
    assert [file.sha256 for file in files] == [hashlib.sha256(data).hexdigest() for data in (BIG, b"")]
    folder = place.store.local_folder(key, files)
    assert sorted(path.name for path in folder.iterdir()) == ["mean file (1).npy", "model.pt2"]
    assert (folder / "model.pt2").read_bytes() == BIG


def test_every_upload_has_a_key_of_its_own(place: Place) -> None:
    assert place.store.save([part("a", b"1")], LIMIT)[0] != place.store.save([part("a", b"1")], LIMIT)[0]


def test_parts_are_read_while_they_come(place: Place) -> None:
    read = []

    def coming() -> Iterator[tuple[str, BinaryIO]]:
        for name in ("one", "two"):
            source = io.BytesIO(name.encode())
            yield name, source
            read.append(source.tell())

    place.store.save(coming(), LIMIT)
    assert read == [3, 3]


def test_the_limit_is_for_all_files_together(place: Place) -> None:
    parts = [("a", b"12345"), ("b", b"67890")]
    place.store.save([part(*given) for given in parts], 10)
    before = place.everything()
    with pytest.raises(TooLarge):
        place.store.save([part(*given) for given in parts], 9)
    assert place.everything() == before


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "/etc/passwd", "../up", "a/b", "a\\b", "nul\0", "line\nfeed", "é" * 128, "\ud800"],
)
def test_names_that_lead_elsewhere_are_refused(place: Place, name: str) -> None:
    with pytest.raises(InvalidValue):
        place.store.save([part("fine", b"1"), part(name, b"2")], LIMIT)
    assert place.everything() == []
    with pytest.raises(InvalidValue):
        place.store.local_folder(name, [])
    with pytest.raises(InvalidValue):
        place.store.delete(name)


def test_a_name_that_comes_twice_is_refused(place: Place) -> None:
    with pytest.raises(InvalidValue, match="sent twice"):
        place.store.save([part("a", b"1"), part("a", b"2")], LIMIT)
    assert place.everything() == []


def test_a_sender_who_goes_away_leaves_nothing_and_is_no_fault_of_the_store(place: Place) -> None:
    with pytest.raises(ConnectionResetError):
        place.store.save([part("whole", b"1"), ("torn", Interrupted())], LIMIT)  # type: ignore[list-item]
    assert place.everything() == []


def test_parts_that_fail_to_come_leave_nothing(place: Place) -> None:
    def coming() -> Iterator[tuple[str, BinaryIO]]:
        yield part("first", b"1")
        raise RuntimeError("There is no second.")

    with pytest.raises(RuntimeError):
        place.store.save(coming(), LIMIT)
    assert place.everything() == []


def test_deleted_files_are_gone_and_deleting_twice_is_no_error(place: Place) -> None:
    key, files = place.store.save([part("a", b"1")], LIMIT)
    kept, kept_files = place.store.save([part("a", b"2")], LIMIT)
    place.store.local_folder(key, files)
    place.store.delete(key)
    place.store.delete(key)
    with pytest.raises(NotFound):
        place.store.local_folder(key, files)
    assert (place.store.local_folder(kept, kept_files) / "a").read_bytes() == b"2"


def test_deleting_from_a_place_that_was_never_used_is_no_error(place: Place) -> None:
    place.store.delete("0" * 32)


def test_a_file_that_is_missing_is_not_found(place: Place) -> None:
    key, (file,) = place.store.save([part("a", b"1")], LIMIT)
    with pytest.raises(NotFound):
        place.store.local_folder(key, [file, replace(file, name="b")])


def test_a_file_of_another_size_is_damaged(place: Place) -> None:
    key, (file,) = place.store.save([part("a", b"1")], LIMIT)
    with place.files.open(f"{place.root}/{key}/a", "wb") as changed:
        changed.write(b"12")
    with pytest.raises(Damaged, match="stored file a"):
        place.store.local_folder(key, [file])


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, Unavailable)]
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, expected: type[StoreError]
) -> None:
    place = Place("file", tmp_path)

    def fail(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    if step == "fsync":
        monkeypatch.setattr("store.weight_places.os.fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(expected) as caught:
        place.store.save([part("a", b"1")], LIMIT)
    assert str(tmp_path) not in str(caught.value)
    assert place.everything() == []


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    with pytest.raises(Unavailable):
        Place("file", tmp_path).store.save([part("a", b"1")], LIMIT)


def test_a_disk_that_is_not_mounted_is_unavailable_rather_than_empty(tmp_path: Path) -> None:
    place = Place("file", tmp_path)
    key, files = place.store.save([part("a", b"1")], LIMIT)
    shutil.rmtree(place.root)
    with pytest.raises(Unavailable):
        place.store.local_folder(key, files)


def test_a_folder_with_a_space_in_its_url_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    store = WeightStore(folder.as_uri(), tmp_path / "cache", CACHE_BYTES)
    key, files = store.save([part("a", b"1")], LIMIT)
    assert store.local_folder(key, files) == folder / key


def test_a_local_folder_is_used_without_a_copy(tmp_path: Path) -> None:
    place = Place("file", tmp_path)
    key, files = place.store.save([part("a", b"1")], LIMIT)
    assert place.store.local_folder(key, files) == Path(place.root) / key
    assert not place.cache.exists()


def test_a_remote_file_is_downloaded_once(remote: Place) -> None:
    key, files = remote.store.save([part("a", b"1")], LIMIT)
    folder = remote.store.local_folder(key, files)
    remote.files.rm(remote.root, recursive=True)
    assert remote.store.local_folder(key, files) == folder == remote.cache / key
    assert (folder / "a").read_bytes() == b"1"


def test_a_copy_that_was_cut_off_is_downloaded_again(remote: Place) -> None:
    key, files = remote.store.save([part("a", b"123"), part("b", b"4")], LIMIT)
    folder = remote.store.local_folder(key, files)
    (folder / "a").write_bytes(b"")
    (folder / "b").unlink()
    assert (remote.store.local_folder(key, files) / "a").read_bytes() == b"123"
    assert (folder / "b").read_bytes() == b"4"


def test_a_remote_file_of_other_content_is_damaged_and_not_kept(remote: Place) -> None:
    key, files = remote.store.save([part("a", b"1")], LIMIT)
    with remote.files.open(f"{remote.root}/{key}/a", "wb") as changed:
        changed.write(b"2")
    with pytest.raises(Damaged, match="is not what was uploaded"):
        remote.store.local_folder(key, files)
    assert list(remote.cache.iterdir()) == []


class SharedFiles(MemoryFileSystem):  # type: ignore[misc]
    """An object store in memory for several readers at once, to whom fsspec's gives one position in a file."""

    protocol = "shared"

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        opened = super()._open(path, mode, **options)
        return io.BytesIO(opened.getvalue()) if mode == "rb" else opened


def test_downloads_at_once_give_the_same_copy(remote: Place) -> None:
    fsspec.register_implementation("shared", SharedFiles, clobber=True)
    store = WeightStore(f"shared://{remote.root}", remote.cache, CACHE_BYTES)
    key, files = store.save([part("a", BIG)], LIMIT)
    barrier = threading.Barrier(4)
    found: list[bytes] = []

    def load() -> None:
        barrier.wait()
        found.append((store.local_folder(key, files) / "a").read_bytes())

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BIG] * 4
    assert [path.name for path in remote.cache.iterdir()] == [key]


class BrokenFiles(MemoryFileSystem):  # type: ignore[misc]
    """An object store whose network fails, with errors that are no ``OSError`` either."""

    protocol = "broken"

    def _open(self, path: str, mode: str = "rb", **_options: object) -> BinaryIO:
        raise RuntimeError(f"could not connect for {mode} of {path}")


def test_an_object_store_that_is_away_is_unavailable(tmp_path: Path) -> None:
    fsspec.register_implementation("broken", BrokenFiles, clobber=True)
    store = WeightStore("broken://bucket/folder", tmp_path, CACHE_BYTES)
    with pytest.raises(Unavailable, match=r"^The weight store is not reachable\.$"):
        store.save([part("a", b"1")], LIMIT)
    _, files = Place("file", tmp_path).store.save([part("a", b"1")], LIMIT)
    with pytest.raises(Unavailable):
        store.local_folder("0" * 32, files)
    assert not (tmp_path / ("0" * 32)).exists()


def test_a_protocol_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nonsense://, which fsspec does not know"):
        WeightStore("nonsense://bucket", tmp_path, CACHE_BYTES)


def test_a_protocol_without_its_package_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object, **_options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("store.remote_weights.url_to_fs", missing)
    with pytest.raises(StoreError, match=r"s3:// need a Python package .* extra named s3"):
        WeightStore("s3://bucket/folder", tmp_path, CACHE_BYTES)


@pytest.mark.parametrize("umask", [0o022, 0o077])
@pytest.mark.parametrize(
    ("root", "folder", "file"),
    [
        (0o700, 0o700, 0o600),  # in the data folder
        (0o2750, 0o2750, 0o640),  # workers are another user of the same group
        (0o2770, 0o2770, 0o660),
        (0o755, 0o755, 0o644),
        (0o1777, 0o775, 0o664),  # who may add to a folder may not change what is stored
    ],
)
def test_who_may_read_the_folder_may_read_what_is_stored(
    tmp_path: Path, root: int, folder: int, file: int, umask: int
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights").chmod(root)
    os.umask(umask)
    store = WeightStore((tmp_path / "weights").as_uri(), tmp_path / "cache", CACHE_BYTES)
    key, files = store.save([part("model.pt2", b"weights")], LIMIT)
    stored = store.local_folder(key, files)
    assert rights(stored) == folder
    assert rights(stored / "model.pt2") == file


def test_folder_of_another_user_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = WeightStore(tmp_path.as_uri(), tmp_path / "cache", CACHE_BYTES)
    key, files = store.save([part("model.pt2", b"weights")], LIMIT)

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(Unavailable, match="no permission"):
        store.local_folder(key, files)
