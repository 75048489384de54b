"""The copies that a machine keeps of weight files in an object store, within a budget of bytes.

``store.remote_weights`` asks for them. Several worker processes may share the folder: a copy appears whole or not at
all, and who was used least recently leaves first.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from store.errors import Damaged, NotFound
from store.records import StoredFile
from store.weight_places import UNFINISHED, check_sizes, errors_of_storage

UNFINISHED_SECONDS = 24 * 3600  # after this, whoever wrote it is not coming back
IN_USE_SECONDS = 600.0  # a copy that was asked for so recently may be just being loaded
OTHER_WAS_FASTER = (errno.EEXIST, errno.ENOTEMPTY)

Download = Callable[[Path], None]


class WeightCopies:
    """Folders of files by key, in one folder."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes

    def get(self, key: str, files: Sequence[StoredFile], download: Download) -> Path:
        """Return the folder of a key; ``download`` puts the files into an empty one if there is none yet.

        Raises:
            StorageFull: if there is no room for the files.
            Unavailable: if the folder cannot be written to.
        """
        copy = self._folder / key
        with suppress(NotFound, Damaged):
            check_sizes(copy, files)
            _note_use(copy)
            return copy
        unfinished = self._folder / f"{UNFINISHED}{secrets.token_hex(16)}"
        try:
            with errors_of_storage(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                self._sweep()
                self._make_room(sum(file.size for file in files))
                unfinished.mkdir()
            download(unfinished)
            with errors_of_storage(OSError):
                _put_in_place(unfinished, copy, files)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return copy

    def drop(self, key: str) -> None:
        """Remove the copy of a key, if there is one; who has begun to read it finds all of it or none."""
        grave = self._folder / f"{UNFINISHED}{secrets.token_hex(16)}"
        with suppress(OSError):
            (self._folder / key).rename(grave)
            shutil.rmtree(grave, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what processes left behind that were killed while they wrote."""
        for path in self._folder.glob(f"{UNFINISHED}*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - UNFINISHED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _make_room(self, needed_bytes: int) -> None:
        copies = sorted((_last_use(path), path.name, _size(path)) for path in self._folder.iterdir() if _is_copy(path))
        excess = sum(size for _, _, size in copies) + needed_bytes - self._budget_bytes
        for last_use, key, size in copies:
            if excess <= 0 or time.time() - last_use < IN_USE_SECONDS:
                return
            self.drop(key)
            excess -= size


def _is_copy(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(UNFINISHED)


def _note_use(copy: Path) -> None:
    with suppress(OSError):  # another process may be dropping it; then loading says so
        os.utime(copy)


def _last_use(copy: Path) -> float:
    try:
        return copy.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(copy: Path) -> int:
    try:
        return sum(file.stat().st_size for file in copy.iterdir())
    except FileNotFoundError:
        return 0


def _put_in_place(unfinished: Path, copy: Path, files: Sequence[StoredFile]) -> None:
    """Give the folder its name, unless another process has meanwhile put the same files there."""
    try:
        unfinished.rename(copy)
        return
    except OSError as error:
        if error.errno not in OTHER_WAS_FASTER:
            raise
    try:
        check_sizes(copy, files)
    except (NotFound, Damaged):
        shutil.rmtree(copy)
        unfinished.rename(copy)
