"""Reads the headers of a zip file, and refuses a file that two readers could take for two different archives.

A zip file says everything twice: before each entry, and in the directory at its end. Readers differ in which of the
two they believe, in how they find the directory, and in what may lie between entries. So a file is accepted only if
nothing is left to choose: entries follow each other from the first byte on, the directory follows the last entry,
nothing follows the directory, and both headers of an entry agree. torch and Python's zipfile write such files. Used
by :mod:`inference.guards.archives`.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

MAX_NAME_BYTES = 255  # torch's reader cuts names at 511 bytes
MAX_DIRECTORY_BYTES = 64 * 1024 * 1024

_VERSION = 45  # the first one with zip64
_STORED, _DEFLATED = 0, 8
_HAS_DESCRIPTOR, _UTF8 = 0x8, 0x800
_ZIP64, _PADDING = 0x0001, int.from_bytes(b"FB", "little")
_OVERFLOW = 0xFFFFFFFF
_DOS_ATTRIBUTES = 0xFFFF  # one of them marks a directory: torch gives uninitialised memory for its content

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_DESCRIPTOR, _DESCRIPTOR_64 = struct.Struct("<4s3I"), struct.Struct("<4sI2Q")
_END = struct.Struct("<4s4H2IH")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")


class ZipFault(ValueError):
    """Says, as the second half of a sentence, why a zip file is not accepted."""


@dataclass(frozen=True)
class Entry:
    """What the directory of a zip file says about one entry."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    offset: int


class _Directory(NamedTuple):
    entries: int
    offset: int
    size: int


def read_entries(file: BinaryIO) -> list[Entry]:
    """Return the entries of a zip file in the order of its directory. Their contents are not read.

    Raises:
        ZipFault: when the file is not a zip file, or could be read in two ways.
    """
    try:
        directory = _find_directory(file)
        entries = list(_entries_in(_read(file, directory.offset, directory.size)))
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset != end:
                raise ZipFault(f"bytes before {_quoted(entry)} belong to no entry, or to two")
            end = _end_of(file, entry)
    except struct.error as error:
        raise ZipFault("a header is cut") from error
    if end != directory.offset or len(entries) != directory.entries:
        raise ZipFault("its directory does not list what it holds")
    return entries


def _quoted(entry: Entry) -> str:
    return repr(entry.name[:80].decode(errors="replace"))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _find_directory(file: BinaryIO) -> _Directory:
    end = max(file.seek(0, os.SEEK_END) - _END.size, 0)
    signature, disk, first_disk, here, count, size, offset, comment = _END.unpack(_read(file, end, _END.size))
    if signature != b"PK\x05\x06" or comment:
        raise ZipFault("it does not end with a directory")
    directory = _Directory(count, offset, size)
    if (disk, first_disk, here) != (0, 0, count):
        raise ZipFault("it is one of several parts")
    locator = end - _LOCATOR_64.size
    if locator >= 0 and _read(file, locator, 4) == b"PK\x06\x07":
        end = max(locator - _END_64.size, 0)
        directory = _widen_directory(file, directory, end, locator)
    if directory.offset + directory.size != end:
        raise ZipFault("its directory is not where its end says")
    if directory.size > MAX_DIRECTORY_BYTES:
        raise ZipFault(f"its directory is larger than {MAX_DIRECTORY_BYTES} bytes")
    return directory


def _widen_directory(file: BinaryIO, narrow: _Directory, end: int, locator: int) -> _Directory:
    """Read the directory's place from a zip64 file, in which the narrow fields say the same or overflow."""
    _, disk, offset, disks = _LOCATOR_64.unpack(_read(file, locator, _LOCATOR_64.size))
    signature, rest, _, _, this, first, here, count, size, start = _END_64.unpack(_read(file, end, _END_64.size))
    if signature != b"PK\x06\x06" or rest != _END_64.size - 12 or offset != end:
        raise ZipFault("its directory is not where its end says")
    if (disk, disks, this, first, here) != (0, 1, 0, 0, count):
        raise ZipFault("it is one of several parts")
    wide = _Directory(count, start, size)
    overflows = (0xFFFF, _OVERFLOW, _OVERFLOW)
    if any(value not in (exact, overflow) for value, exact, overflow in zip(narrow, wide, overflows, strict=True)):
        raise ZipFault("it has two directories")
    return wide


def _entries_in(directory: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(directory):
        fixed = _CENTRAL.unpack_from(directory, at)
        signature, _, version, flags, method, _, _, crc, packed, unpacked = fixed[:10]
        name_bytes, extra_bytes, comment_bytes, disk, _, attributes, offset = fixed[10:]
        extra_at = at + _CENTRAL.size + name_bytes
        name = directory[at + _CENTRAL.size : extra_at]
        at = extra_at + extra_bytes
        if signature != b"PK\x01\x02" or at > len(directory) or comment_bytes or disk:
            raise ZipFault("its directory is damaged")
        wide = _wide_values(directory[extra_at:at], accepted={_ZIP64})
        unpacked, packed, offset = _widened(wide, unpacked, packed, offset)
        entry = Entry(name, flags, method, crc, packed, unpacked, offset)
        _check_kind(entry)
        if version > _VERSION or attributes & _DOS_ATTRIBUTES:
            raise ZipFault(f"{_quoted(entry)} is no plain file")
        yield entry


def _check_kind(entry: Entry) -> None:
    if len(entry.name) > MAX_NAME_BYTES:
        raise ZipFault(f"the name {_quoted(entry)}... is longer than {MAX_NAME_BYTES} bytes")
    if entry.flags & ~(_HAS_DESCRIPTOR | _UTF8) or entry.method not in (_STORED, _DEFLATED):
        raise ZipFault(f"{_quoted(entry)} is encrypted or packed in an unusual way")
    if entry.packed_bytes != entry.unpacked_bytes and (entry.method == _STORED or not entry.packed_bytes):
        raise ZipFault(f"{_quoted(entry)} has two sizes")


def _wide_values(extra: bytes, accepted: set[int]) -> bytes | None:
    """Return the content of the zip64 field among a header's extra fields, all of which are of accepted kinds."""
    wide, at = None, 0
    while at < len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        at += 4 + size
        if kind not in accepted or at > len(extra) or (kind == _ZIP64 and wide is not None):
            raise ZipFault("a header has an unusual field")
        if kind == _ZIP64:
            wide = extra[at - size : at]
    return wide


def _widened(wide: bytes | None, *values: int) -> Iterator[int]:
    """Replace each value that overflows by the next one of the zip64 field."""
    count = values.count(_OVERFLOW)
    if len(wide or b"") != 8 * count:
        raise ZipFault("a header gives a size twice, or not at all")
    exact = iter(struct.unpack(f"<{count}Q", wide or b""))
    return (next(exact) if value == _OVERFLOW else value for value in values)


def _end_of(file: BinaryIO, entry: Entry) -> int:
    """Compare the header before an entry with the directory, and return the offset of what follows the entry.

    torch writes that header before it knows sizes and checksum: they are zero in it, and follow the content.
    """
    fixed = _LOCAL.unpack(_read(file, entry.offset, _LOCAL.size))
    signature, _, flags, method, _, _, *values, name_bytes, extra_bytes = fixed
    name, extra = file.read(name_bytes), file.read(extra_bytes)
    end: int = entry.offset + _LOCAL.size + name_bytes + extra_bytes + entry.packed_bytes
    known = (entry.crc, entry.packed_bytes, entry.unpacked_bytes)
    wide = _wide_values(extra, accepted={_ZIP64, _PADDING})
    if flags & _HAS_DESCRIPTOR:
        layout = _DESCRIPTOR if wide is None else _DESCRIPTOR_64
        agrees = not any(values) and _read(file, end, layout.size) == layout.pack(b"PK\x07\x08", *known)
        end += layout.size
    else:
        unpacked, packed = _widened(wide, values[2], values[1])
        agrees = (values[0], packed, unpacked) == known
    if not agrees or signature != b"PK\x03\x04" or (name, flags, method) != (entry.name, entry.flags, entry.method):
        raise ZipFault(f"the two headers of {_quoted(entry)} differ")
    return end
