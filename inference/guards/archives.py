"""Opens an archive only if it holds exactly what torch writes into archives of its format.

torch's reader is a lenient one: it finds a record in any spelling of upper and lower case, it cuts long names, and it
unpacks whatever is compressed, also entries that lie upon each other. So what it will find is judged from the headers
of the zip file before torch opens it, and compared with what it does find. Used by the guards and by
:mod:`inference.loader`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch

from inference.errors import NetworkError
from inference.guards.zip_headers import Entry, ZipFault, read_entries

MAX_EXPANSION_BYTES = 64 * 1024 * 1024  # for code, of which large networks have a few megabytes
_ZIP_HEAD = b"PK\x03\x04"


@dataclass(frozen=True)
class ArchiveFormat:
    """The records of one kind of archive.

    Attributes:
        title: What to call such an archive in a sentence, with its article.
        records: What each name of a record, without the archive's folder, matches.
        required: The names without which it is not such an archive.
    """

    title: str
    records: re.Pattern[str]
    required: frozenset[str]


@dataclass(frozen=True)
class Archive:
    """An archive that holds what its format has, and nothing else.

    Attributes:
        sizes: Unpacked bytes of each record, by name.
    """

    sizes: Mapping[str, int]
    _reader: Any

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a record.

        Raises:
            NetworkError: when there is none of that name, or it is larger than ``max_bytes``.
        """
        if name not in self.sizes:
            raise NetworkError(f"The archive has no part {name[:80]!r}.")
        if self.sizes[name] > max_bytes:
            raise NetworkError(f"The archive's part {name[:80]!r} is larger than {max_bytes} bytes.")
        return bytes(self._reader.get_record(name))


def is_archive(path: Path) -> bool:
    """Tell whether torch takes the file for an archive, rather than for a pickle of its older format."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_HEAD)) == _ZIP_HEAD


def open_archive(path: Path, form: ArchiveFormat) -> Archive:
    """Return the archive in a file, open for reading.

    Raises:
        NetworkError: when it is no archive of that format, or would unpack into far more than its file.
    """
    with path.open("rb") as file:
        sizes = _judged_sizes(file, f"The file {path.name}", form)
    return _opened(str(path), f"The file {path.name}", sizes)


def open_nested_archive(content: bytes, title: str, form: ArchiveFormat) -> Archive:
    """Return the archive that is a record of another one; ``title`` begins the sentence about a fault.

    Raises:
        NetworkError: as of :func:`open_archive`.
    """
    return _opened(BytesIO(content), title, _judged_sizes(BytesIO(content), title, form))


def _judged_sizes(file: BinaryIO, title: str, form: ArchiveFormat) -> Mapping[str, int]:
    if file.read(len(_ZIP_HEAD)) != _ZIP_HEAD:
        raise NetworkError(f"{title} is not {form.title}.")
    try:
        entries = read_entries(file)
        sizes = dict(zip(_record_names(entries), (entry.unpacked_bytes for entry in entries), strict=True))
    except (ZipFault, UnicodeDecodeError) as error:
        raise NetworkError(f"{title} is not {form.title}: {error}.") from error
    unpacked = sum(sizes.values())
    if unpacked > file.seek(0, os.SEEK_END) + MAX_EXPANSION_BYTES:
        raise NetworkError(f"{title} would unpack into {unpacked} bytes, which is not accepted.")
    for name in sizes:
        if not form.records.fullmatch(name):
            raise NetworkError(f"{title} holds {name[:80]!r}, which is not accepted.")
    if missing := sorted(form.required - sizes.keys()):
        raise NetworkError(f"{title} is not {form.title}: it has no part {missing[0]!r}.")
    return sizes


def _record_names(entries: list[Entry]) -> list[str]:
    folder = entries[0].name.partition(b"/")[0] + b"/" if entries else b"/"
    names = [entry.name for entry in entries]
    if outside := [name for name in names if not name.startswith(folder) or len(folder) == 1]:
        raise ZipFault(f"{outside[0][:80].decode(errors='replace')!r} lies outside of its folder")
    if len({name.lower() for name in names}) != len(names):
        raise ZipFault("two of its parts have the same name")
    return [name.removeprefix(folder).decode() for name in names]


def _opened(source: str | BytesIO, title: str, sizes: Mapping[str, int]) -> Archive:
    try:
        reader = torch._C.PyTorchFileReader(source)
        found = {name: reader.get_record_size(name) for name in reader.get_all_records()}
    except (RuntimeError, UnicodeDecodeError) as error:
        raise NetworkError(f"{title} cannot be read by torch {torch.__version__}.") from error
    if found != sizes:
        raise NetworkError(f"{title} reads differently in torch {torch.__version__}, which is not accepted.")
    return Archive(sizes, reader)
