"""Writes to standard output without a buffer, so that what cannot be written is met here and not when Python ends."""

import os
import sys

from cli.errors import CommandError


def check_standard_output() -> None:
    """Raise ``CommandError`` if standard output is closed: its descriptor may be that of another file by now."""
    if sys.stdout is None:
        raise CommandError("Standard output is closed. Give the results a file with --output.")


def write_out(data: bytes) -> None:
    """Write all of ``data``.

    Raises:
        CommandError: if that cannot be done.
    """
    check_standard_output()
    try:
        sys.stdout.flush()
        write_all(sys.stdout.fileno(), data)
    except BrokenPipeError as error:
        raise CommandError("Nobody reads standard output any more.") from error
    except OSError as error:
        raise CommandError(f"Standard output cannot be written: {error.strerror}.") from error


def write_all(file: int, data: bytes) -> None:
    """Write all of ``data`` to a descriptor."""
    while data:
        data = data[os.write(file, data) :]
