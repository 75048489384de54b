"""Reads an image's file: a regular one, of a size that an image may have, that answers."""

import os
import stat
from functools import partial

from cli.submit.bounded import SILENCE_SECONDS, NoAnswer, bounded

MAX_BYTES = 256 * 2**20
CHUNK_BYTES = 8 * 2**20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRead(Exception):
    """A file gave no image; the message says why."""


def kind_of(mode: int) -> str:
    """Return what is at a path whose ``st_mode`` is of no regular file."""
    return _KINDS.get(stat.S_IFMT(mode), "no file")


def read_file(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        NotRead: if it cannot be read, is none, or is too large for an image.
    """
    try:
        return _read(path)
    except NoAnswer as error:
        raise NotRead(f"The file did not answer within {SILENCE_SECONDS:g} s.") from error
    except OSError as error:
        raise NotRead(f"The file cannot be read: {error.strerror}.") from error
    except ValueError as error:  # what the system's calls cannot take
        raise NotRead("The name holds a NUL byte. Lists from `find -print0` need --null.") from error


def _read(path: str) -> bytes:
    file, size, content = bounded(partial(_opened, path))
    while len(content) < size and (chunk := bounded(partial(os.read, file, CHUNK_BYTES))):
        content += chunk
    bounded(partial(os.close, file))  # also this asks a server; after an error there the descriptor is let be
    return content


def _opened(path: str) -> tuple[int, int, bytes]:
    """Open a file and return its descriptor, its size, and how it begins; a pipe without a writer would block."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise NotRead(f"This is {kind_of(found.st_mode)}, not a file.")
        if found.st_size > MAX_BYTES:
            raise NotRead(f"The file has {found.st_size} bytes, and an image at most {MAX_BYTES}.")
        return file, found.st_size, os.read(file, CHUNK_BYTES)
    except BaseException:
        os.close(file)
        raise
