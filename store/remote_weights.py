"""Weight files in an object store, such as S3, with copies on this machine of what was needed here.

Only ``store.weights`` uses it. Object stores have no folders that could be renamed: objects appear one by one, but
nobody knows their key before all are there.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from fsspec.core import url_to_fs

from store.errors import StoreError
from store.records import StoredFile
from store.weight_copies import WeightCopies
from store.weight_places import closing_quietly, damaged, errors_of_storage, missing

PROBE = ".probe"
COPY_BYTES = 1024 * 1024


class RemotePlace:
    """An object store by URL, and the folder for copies.

    Raises:
        StoreError: if fsspec does not know the protocol of the URL, or lacks its package.
    """

    def __init__(self, url: str, copies: WeightCopies) -> None:
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
        self._copies = copies

    def begin(self, key: str) -> None:
        """Do nothing: there are no folders to make."""

    def write(self, key: str, name: str, chunks: Iterable[bytes]) -> None:
        """Upload one file in pieces."""
        with errors_of_storage(Exception):
            file = self._files.open(f"{self._root}/{key}/{name}", "wb")
        with closing_quietly(file):
            for chunk in chunks:
                with errors_of_storage(Exception):
                    file.write(chunk)
            with errors_of_storage(Exception):
                file.close()

    def publish(self, key: str) -> None:
        """Do nothing: every object was complete when it was closed."""

    def discard(self, key: str) -> None:
        """Remove what was uploaded, if the store lets us."""
        with suppress(Exception):
            self._remove_objects(key)

    def folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return the copy on this machine, downloading and verifying it if there is none."""

        def download(folder: Path) -> None:
            for file in files:
                self._download(f"{self._root}/{key}/{file.name}", folder / file.name, file)

        return self._copies.get(key, files, download)

    def delete(self, key: str) -> None:
        """Remove the objects, and the copy on this machine."""
        self._copies.drop(key)
        with errors_of_storage(Exception):
            self._remove_objects(key)

    def check(self) -> None:
        """Ask for an object that is not there, which takes the rights to read and to list."""
        with errors_of_storage(Exception), suppress(FileNotFoundError):
            self._files.info(f"{self._root}/{PROBE}")

    def _remove_objects(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm(f"{self._root}/{key}", recursive=True)

    def _download(self, path: str, target: Path, expected: StoredFile) -> None:
        digest = hashlib.sha256()
        with errors_of_storage(Exception):
            try:
                source = self._files.open(path, "rb")
            except FileNotFoundError as error:
                raise missing() from error
            with source, target.open("xb") as file:
                while chunk := source.read(COPY_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
        if digest.hexdigest() != expected.sha256:
            raise damaged(expected)
