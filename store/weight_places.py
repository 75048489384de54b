"""The two kinds of places where weight files lie: a folder on disk, and an object store with copies on disk.

Only ``store.weights`` uses them: it checks names and hashes contents, the places see to it that files appear
whole or not at all.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from fsspec.core import url_to_fs

from store.errors import Damaged, NotFound, StorageFull, StoreError, Unavailable
from store.records import StoredFile

COPY_BYTES = 1024 * 1024
UNFINISHED = ".unfinished-"
UNFINISHED_SECONDS = 24 * 3600  # after this, whoever wrote it is not coming back

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
OTHER_WAS_FASTER = (errno.EEXIST, errno.ENOTEMPTY)


class Place(Protocol):
    """Where files lie by key. ``begin``, any ``write``, then ``publish`` or ``discard`` make a key."""

    def begin(self, key: str) -> None:
        """Prepare for the files of a new key."""

    def write(self, key: str, name: str, chunks: Iterable[bytes]) -> None:
        """Write one file; what ``chunks`` raises passes unchanged."""

    def publish(self, key: str) -> None:
        """Make what was written last, and visible."""

    def discard(self, key: str) -> None:
        """Remove what was written; never raises, because it answers another error."""

    def folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return a local folder with the files."""

    def delete(self, key: str) -> None:
        """Remove the files, if there are any."""


class LocalPlace:
    """A folder on disk, with one folder in it for each key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, key: str) -> None:
        """Make a folder that no reader looks into."""
        with _errors_of_storage(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            _sweep(self._root)
            self._unfinished(key).mkdir()

    def write(self, key: str, name: str, chunks: Iterable[bytes]) -> None:
        """Write one file through to the disk."""
        with _errors_of_storage(OSError):
            file = (self._unfinished(key) / name).open("xb")
        with _closing_quietly(file):
            for chunk in chunks:
                with _errors_of_storage(OSError):
                    file.write(chunk)
            with _errors_of_storage(OSError):
                file.flush()
                os.fsync(file.fileno())

    def publish(self, key: str) -> None:
        """Give the folder its name, which also survives a loss of power."""
        with _errors_of_storage(OSError):
            _sync_folder(self._unfinished(key))
            self._unfinished(key).replace(self._root / key)
            _sync_folder(self._root)

    def discard(self, key: str) -> None:
        """Remove the unfinished folder, or the published one if only the last step failed."""
        shutil.rmtree(self._unfinished(key), ignore_errors=True)
        shutil.rmtree(self._root / key, ignore_errors=True)

    def folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return the stored folder itself; sizes are compared, contents are the disk's responsibility."""
        if not self._root.is_dir():
            raise Unavailable("The weight store is not reachable.")
        _check_sizes(self._root / key, files)
        return self._root / key

    def delete(self, key: str) -> None:
        """Remove the files; a reader finds all of them or none."""
        grave = self._root / f"{UNFINISHED}{secrets.token_hex(16)}"
        with _errors_of_storage(OSError), contextlib.suppress(FileNotFoundError):
            (self._root / key).replace(grave)
            shutil.rmtree(grave)

    def _unfinished(self, key: str) -> Path:
        return self._root / f"{UNFINISHED}{key}"


class RemotePlace:
    """An object store, and a folder on this machine with copies of what was needed here.

    Objects appear one by one, but nobody knows their key before all are there. A process that is killed in the
    middle of an upload leaves objects behind that nothing refers to.

    Raises:
        StoreError: if fsspec does not know the protocol of the URL, or lacks its package.
    """

    def __init__(self, url: str, cache_folder: Path) -> None:
        protocol = url.partition("://")[0]
        try:
            # What another process has just written must be seen: no listings are kept.
            self._files, root = url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            extra = ": install Recoq with its extra named s3" if protocol == "s3" else ""
            raise StoreError(f"Weights at {protocol}:// need a Python package that is not installed{extra}.") from error
        except ValueError as error:
            raise StoreError(f"Weights cannot be stored at {protocol}://, which fsspec does not know.") from error
        self._root = str(root).rstrip("/")
        self._cache = cache_folder

    def begin(self, key: str) -> None:
        """Do nothing: object stores have no folders."""

    def write(self, key: str, name: str, chunks: Iterable[bytes]) -> None:
        """Upload one file in pieces."""
        with _errors_of_storage(Exception):
            file = self._files.open(f"{self._root}/{key}/{name}", "wb")
        with _closing_quietly(file):
            for chunk in chunks:
                with _errors_of_storage(Exception):
                    file.write(chunk)
            with _errors_of_storage(Exception):
                file.close()

    def publish(self, key: str) -> None:
        """Do nothing: every object was complete when it was closed."""

    def discard(self, key: str) -> None:
        """Remove what was uploaded."""
        with contextlib.suppress(Exception):
            self._files.rm(f"{self._root}/{key}", recursive=True)

    def folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return the copy on this machine, downloading and verifying it if there is none."""
        copy = self._cache / key
        with contextlib.suppress(NotFound, Damaged):
            _check_sizes(copy, files)
            return copy
        unfinished = self._cache / f"{UNFINISHED}{secrets.token_hex(16)}"
        try:
            with _errors_of_storage(OSError):
                self._cache.mkdir(parents=True, exist_ok=True)
                _sweep(self._cache)
                unfinished.mkdir()
            for file in files:
                self._download(f"{self._root}/{key}/{file.name}", unfinished / file.name, file)
            with _errors_of_storage(OSError):
                _put_in_place(unfinished, copy, files)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return copy

    def delete(self, key: str) -> None:
        """Remove the objects, and the copy on this machine."""
        shutil.rmtree(self._cache / key, ignore_errors=True)
        with _errors_of_storage(Exception), contextlib.suppress(FileNotFoundError):
            self._files.rm(f"{self._root}/{key}", recursive=True)

    def _download(self, path: str, target: Path, expected: StoredFile) -> None:
        digest = hashlib.sha256()
        with _errors_of_storage(Exception):
            try:
                source = self._files.open(path, "rb")
            except FileNotFoundError as error:
                raise _missing() from error
            with source, target.open("xb") as file:
                while chunk := source.read(COPY_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
        if digest.hexdigest() != expected.sha256:
            raise _damaged(expected)


@contextmanager
def _errors_of_storage(kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of a place into errors of the store.

    A disk raises ``OSError``. An object store may raise anything that its client library and the network bring, so
    there every ``Exception`` counts.
    """
    try:
        yield
    except StoreError:
        raise
    except kinds as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise StorageFull("There is no room left for weights.") from error
        raise Unavailable("The weight store is not reachable.") from error


@contextmanager
def _closing_quietly(file: BinaryIO | Any) -> Iterator[None]:
    """Close the file at the end; after an error, without another one about what could not be written."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            file.close()
        raise
    file.close()


def _check_sizes(folder: Path, files: Sequence[StoredFile]) -> None:
    if not folder.is_dir():
        raise _missing()
    for file in files:
        path = folder / file.name
        if not path.is_file():
            raise _missing()
        if path.stat().st_size != file.size:
            raise _damaged(file)


def _put_in_place(unfinished: Path, copy: Path, files: Sequence[StoredFile]) -> None:
    """Give the folder its name, unless another process has meanwhile put the same files there."""
    try:
        unfinished.rename(copy)
        return
    except OSError as error:
        if error.errno not in OTHER_WAS_FASTER:
            raise
    try:
        _check_sizes(copy, files)
    except (NotFound, Damaged):
        shutil.rmtree(copy)
        unfinished.rename(copy)


def _sweep(folder: Path) -> None:
    """Remove what processes left behind that were killed while they wrote."""
    for path in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - UNFINISHED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing() -> NotFound:
    return NotFound("The files of the network are not in the weight store.")


def _damaged(file: StoredFile) -> Damaged:
    return Damaged(f"The stored file {file.name} is not what was uploaded.")
