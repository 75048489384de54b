"""Opens the archives that torch writes, unless they would unpack into more than they are.

torch compresses nothing but TorchScript's code, but its reader unpacks whatever is compressed, and entries that lie
upon each other: a megabyte could become many gigabytes. Used by :mod:`inference.loader` and the guards, before torch
reads a file.
"""

from pathlib import Path
from typing import Any

import torch

from inference.errors import NetworkError

MAX_EXPANSION_BYTES = 64 * 1024 * 1024  # for code, of which large networks have a few megabytes
_ZIP_HEAD = b"PK\x03\x04"


def is_archive(path: Path) -> bool:
    """Tell whether torch takes the file for an archive, rather than for a pickle of its older format."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_HEAD)) == _ZIP_HEAD


def open_archive(path: Path) -> Any:
    """Return torch's own reader of the archive, so that what is checked is what will be read.

    Raises:
        NetworkError: when the records of the archive are much larger than its file.
        RuntimeError: when it is not an archive.
    """
    reader = torch._C.PyTorchFileReader(str(path))
    unpacked = sum(reader.get_record_size(name) for name in reader.get_all_records())
    if unpacked > path.stat().st_size + MAX_EXPANSION_BYTES:
        raise NetworkError(f"The file {path.name} would unpack into {unpacked} bytes, which is not accepted.")
    return reader


def text_of(reader: Any, name: str, max_bytes: int) -> bytes:
    """Return a record that will be parsed.

    Raises:
        NetworkError: when it is larger than ``max_bytes``.
        RuntimeError: when there is none of that name.
    """
    if reader.get_record_size(name) > max_bytes:
        raise NetworkError(f"The archive's part {name[:80]!r} is larger than {max_bytes} bytes.")
    return bytes(reader.get_record(name))
