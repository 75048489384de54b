"""The files of networks: uploads go in through the API and the command line, the workers read them.

A network's files lie together under a random key, in a folder on disk or, by URL, in any object store that fsspec
knows. Once stored they never change, so whoever has a key and the checksums can keep a copy.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from config.data_folder import WEIGHTS_CACHE_FOLDER
from config.settings import Settings
from store.errors import InvalidValue, TooLarge
from store.records import StoredFile
from store.remote_weights import RemotePlace
from store.weight_copies import WeightCopies
from store.weight_places import LocalPlace, Place

CHUNK_BYTES = 1024 * 1024
MAX_NAME_BYTES = 255  # what file systems take


class WeightStore:
    """The files of all networks, at one URL; safe to share between threads.

    Args:
        url: ``file:///folder``, or that of an object store such as ``s3://bucket/folder``.
        cache_folder: where a worker keeps its copies of files in an object store.
        cache_bytes: how much the copies may take; one that is needed is made in any case.

    Raises:
        StoreError: if the URL cannot be used, or needs a package that is not installed.
    """

    def __init__(self, url: str, cache_folder: Path, cache_bytes: int) -> None:
        folder = local_folder_of(url)
        self._place: Place = LocalPlace(folder) if folder else RemotePlace(url, WeightCopies(cache_folder, cache_bytes))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the weight store that the settings describe."""
        return cls(settings.weights_url, _cache_folder(settings), settings.weights_cache_bytes)

    def save(
        self, parts: Iterable[tuple[str, BinaryIO]], max_bytes: int, key: str | None = None
    ) -> tuple[str, tuple[StoredFile, ...]]:
        """Store all files together or none, and return their key and what they are, in the order they came.

        ``parts`` are names and contents, read one after the other, in pieces, and may be produced meanwhile. What
        they raise passes unchanged. ``max_bytes`` is the limit for all files together, ``key`` one of ``new_key``
        that was made before.

        Raises:
            TooLarge: if the limit is exceeded.
            InvalidValue: if a name cannot be that of a file, or comes twice.
            StorageFull: if there is no room.
            Unavailable: if the place of the weights cannot be written to.
        """
        key = key or new_key()
        files: dict[str, StoredFile] = {}
        self._place.begin(key)
        try:
            for name, source in parts:
                _check_name(name)
                if name in files:
                    raise InvalidValue(f"The file {name} was sent twice.")
                contents = _Contents(source, max_bytes - sum(file.size for file in files.values()))
                self._place.write(key, name, contents.chunks())
                files[name] = StoredFile(name, contents.size, contents.sha256)
            self._place.publish(key)
        except BaseException:
            self._place.discard(key)
            raise
        return key, tuple(files.values())

    def local_folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return a folder with these files, to be read only; an object store's are downloaded once and verified.

        Raises:
            NotFound: if the files are not stored.
            Damaged: if they are not what was uploaded.
            StorageFull: if there is no room for a copy.
            Unavailable: if the place of the weights cannot be read.
        """
        _check_name(key)
        return self._place.folder(key, files)

    def check(self) -> None:
        """Return if files can be stored and read.

        Raises:
            Unavailable: if they cannot.
        """
        self._place.check()

    def delete(self, key: str) -> None:
        """Remove the files under a key, or what a killed process left of them; it is no error that there are none.

        Raises:
            Unavailable: if the place of the weights cannot be written to.
        """
        _check_name(key)
        self._place.delete(key)


def local_folder_of(url: str) -> Path | None:
    """Return the folder that a ``file:`` URL names; None for that of an object store."""
    return Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else None


def local_weights_folder(settings: Settings) -> Path:
    """Return the folder below which ``WeightStore.local_folder`` lies: of the weights, or of their copies."""
    return local_folder_of(settings.weights_url) or _cache_folder(settings)


def _cache_folder(settings: Settings) -> Path:
    return settings.data_folder / WEIGHTS_CACHE_FOLDER


def new_key() -> str:
    """Return a key that no files have."""
    return secrets.token_hex(16)


class _Contents:
    """One incoming file, counted and hashed on its way."""

    def __init__(self, source: BinaryIO, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self.size = 0

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._source.read(CHUNK_BYTES):
            self.size += len(chunk)
            if self.size > self._max_bytes:
                raise TooLarge("The files of the network are larger than what is allowed for an upload.")
            self._digest.update(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _check_name(name: str) -> None:
    """Refuse what is not the plain name of a file, and so could lead out of its folder."""
    plain = name.isprintable() and not name.startswith(".") and not set(name) & set("/\\")
    if not plain or not 0 < len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES:
        raise InvalidValue("The name of a file must be printable, without slashes, and not begin with a dot.")
