"""Reads lists of images: one path or URL a line, or between two NULs, as ``find -print0`` writes them."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cli.errors import CommandError
from cli.submit.files import kind_of

MAX_NAME_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
NUL = b"\0"
_UTF_8_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def names_in_file(path: str, *, null: bool) -> Iterator[str]:
    """Yield the names in the list at ``path``.

    Raises:
        CommandError: if it is no list.
    """
    if not Path(path).is_file():
        raise CommandError(f"{path} is {kind_of(Path(path).stat().st_mode)}, not a list. Send it to standard input: -")
    with Path(path).open("rb") as file:
        yield from _names(file, path, null=null)


def names_on_standard_input(*, null: bool) -> Iterator[str]:
    """Yield the names on standard input, as they come.

    Raises:
        CommandError: if it is closed, or no list.
    """
    if sys.stdin is None:  # as Python has it where the descriptor is closed
        raise CommandError("Standard input is closed, so it names no images.")
    # Python's own buffer must be free when the process ends, and a thread may still be waiting in this one.
    with os.fdopen(sys.stdin.fileno(), "rb", closefd=False) as file:
        yield from _names(file, "standard input", null=null)


def _names(file: BinaryIO, name: str, *, null: bool) -> Iterator[str]:
    start = file.peek(3)[:3]  # type: ignore[attr-defined]  # both are buffered
    if start.startswith(_UTF_16_MARKS):
        yield from _names_in_utf_16(file, name)
        return
    if start.startswith(_UTF_8_MARK):
        file.read(len(_UTF_8_MARK))
    for line in _parts(file, name) if null else _lines(file, name):
        if found := os.fsdecode(line if null else line.strip()):
            yield found


def _names_in_utf_16(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of a text as PowerShell writes it."""
    text = io.TextIOWrapper(file, "utf-16")
    try:
        for line in text:
            if found := line.strip():
                yield found
    except UnicodeError as error:
        raise CommandError(f"{name} begins as UTF-16 and is none; save the list as UTF-8.") from error
    finally:
        text.detach()  # who opened the file closes it


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    while line := file.readline(MAX_NAME_BYTES + 1):
        _check_length(line, name)
        yield line


def _parts(file: BinaryIO, name: str) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        *parts, rest = (rest + chunk).split(NUL)
        _check_length(rest, name)
        yield from parts
    yield rest


def _check_length(line: bytes, name: str) -> None:
    if len(line) > MAX_NAME_BYTES:
        raise CommandError(f"{name} is no list of images: it holds a name of more than {MAX_NAME_BYTES} bytes.")
