"""Where weight files lie, and how: a folder on disk here, an object store in ``store.remote_weights``.

Only ``store.weights`` uses these places: it checks names and hashes contents, they see to it that files appear whole
or not at all. The operator decides who may read a folder on disk, and so what is stored in it.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from store.availability.outages import answered, note
from store.errors import Damaged, NotFound, StorageFull, StoreError, WeightsAway
from store.records import StoredFile

NOT_REACHABLE = "The weight store is not reachable."
NO_PERMISSION = "This process has no permission to use the weight store."
UNFINISHED = ".unfinished-"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FOLDER_RIGHTS = 0o2775  # what a network's folder takes over from the one that it lies in, with the group
FILE_RIGHTS = 0o664


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
        """Remove the files, finished or not, if there are any."""

    def check(self) -> None:
        """Return if files could be written and read."""


class LocalPlace:
    """A folder on disk, with one folder in it for each key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, key: str) -> None:
        """Make a folder that no reader looks into."""
        with errors_of_storage(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            self._unfinished(key).mkdir()
            self._open_like_root(self._unfinished(key), FOLDER_RIGHTS)

    def write(self, key: str, name: str, chunks: Iterable[bytes]) -> None:
        """Write one file through to the disk."""
        with errors_of_storage(OSError):
            path = self._unfinished(key) / name
            file = path.open("xb")
            self._open_like_root(path, FILE_RIGHTS)
        with closing_quietly(file):
            for chunk in chunks:
                with errors_of_storage(OSError):
                    file.write(chunk)
            with errors_of_storage(OSError):
                file.flush()
                os.fsync(file.fileno())

    def publish(self, key: str) -> None:
        """Give the folder its name, which also survives a loss of power."""
        with errors_of_storage(OSError):
            _sync_folder(self._unfinished(key))
            self._unfinished(key).replace(self._root / key)
            _sync_folder(self._root)

    def discard(self, key: str) -> None:
        """Remove the unfinished folder, or the published one if only the last step failed."""
        shutil.rmtree(self._unfinished(key), ignore_errors=True)
        shutil.rmtree(self._root / key, ignore_errors=True)

    def folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return the stored folder itself; sizes are compared, contents are the disk's responsibility."""
        with errors_of_storage(OSError):
            if not self._root.is_dir():
                raise WeightsAway(NOT_REACHABLE)
            check_sizes(self._root / key, files)
        return self._root / key

    def delete(self, key: str) -> None:
        """Remove the files; a reader finds all of them or none."""
        with errors_of_storage(OSError):
            with contextlib.suppress(FileNotFoundError):
                (self._root / key).replace(self._unfinished(key))
            with contextlib.suppress(FileNotFoundError):  # another process may be at the same
                for file in self._unfinished(key).iterdir():
                    file.unlink(missing_ok=True)
                self._unfinished(key).rmdir()

    def check(self) -> None:
        """Look into the folder, which is made if there is none, as for an upload."""
        with errors_of_storage(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            with os.scandir(self._root) as entries:
                next(entries, None)
            if not os.access(self._root, os.W_OK):
                raise WeightsAway("This process has no permission to write to the weight store.")

    def _open_like_root(self, path: Path, rights: int) -> None:
        """Let those who may read the folder of all weights read this too: workers may be other users than the API."""
        root = self._root.stat()
        with contextlib.suppress(OSError):  # not every file system has rights of its own
            path.chmod(root.st_mode & rights)

    def _unfinished(self, key: str) -> Path:
        return self._root / f"{UNFINISHED}{key}"


@contextmanager
def errors_of_storage(kinds: type[Exception]) -> Iterator[None]:
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
        denied = isinstance(error, PermissionError)
        away = WeightsAway(NO_PERMISSION if denied else NOT_REACHABLE)
        away.__cause__ = error
        note(away)
        raise away from error
    answered(WeightsAway)


@contextmanager
def closing_quietly(file: BinaryIO | Any) -> Iterator[None]:
    """Close the file at the end; after an error, without another one about what could not be written."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            file.close()
        raise
    file.close()


def check_sizes(folder: Path, files: Sequence[StoredFile]) -> None:
    """Raise unless the folder has these files, of these sizes."""
    if not folder.is_dir():
        raise missing()
    for file in files:
        path = folder / file.name
        if not path.is_file():
            raise missing()
        if path.stat().st_size != file.size:
            raise damaged(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def missing() -> NotFound:
    """Return the error for files that are not there."""
    return NotFound("The files of the network are not in the weight store.")


def damaged(file: StoredFile) -> Damaged:
    """Return the error for a file whose content is not what it should be."""
    return Damaged(f"The stored file {file.name} is not what was uploaded.")
