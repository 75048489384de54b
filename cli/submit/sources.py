"""Finds the images that the arguments of ``recoq submit`` mean, one after the other.

Nothing here holds a list of them: a folder may have a million files.
"""

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cli.errors import CommandError
from cli.submit.patterns import matching

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
)
LIST_SUFFIX = ".txt"
STANDARD_INPUT = "-"
WEB_SCHEMES = ("http://", "https://")


def is_url(name: str) -> bool:
    """Tell whether the image ``name`` is a URL rather than a file."""
    return name.lower().startswith(WEB_SCHEMES)


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise ``CommandError`` if an argument can mean no image, before any is sent."""
    for argument in arguments:
        here = argument == STANDARD_INPUT or is_url(argument) or os.path.lexists(argument)
        if not here and not glob.has_magic(argument):
            raise CommandError(f"There is no file or folder {argument}.")


def check_drawings(drawings: Path, arguments: Sequence[str]) -> None:
    """Raise ``CommandError`` if the folder of drawings lies where images are taken from: they would be sent too."""
    inside = drawings.resolve()
    for argument in arguments:
        if argument != STANDARD_INPUT and Path(argument).is_dir() and inside.is_relative_to(Path(argument).resolve()):
            raise CommandError(f"{drawings} is inside {argument}, so drawings would count as images; choose another.")


def find_images(arguments: Iterable[str], *, recursive: bool) -> Iterator[str]:
    """Yield the paths and URLs of the images that ``arguments`` mean: in the order given, folders in no order.

    A file is yielded whatever it is called, a folder gives the files in it that are called like images, a ``.txt``
    file and standard input give one path or URL a line, and a pattern what matches it.
    """
    for argument in arguments:
        if argument == STANDARD_INPUT:
            yield from _lines(sys.stdin)
        elif is_url(argument):
            yield argument
        elif Path(argument).is_dir():
            yield from _in_folder(argument, recursive=recursive)
        elif os.path.lexists(argument):
            yield from _in_file(argument)
        else:
            yield from _matching(argument, recursive=recursive)


def _in_file(path: str) -> Iterator[str]:
    if not path.lower().endswith(LIST_SUFFIX):
        yield path
        return
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as lines:
        yield from _lines(lines)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if name := line.strip():
            yield name


def _in_folder(folder: str, *, recursive: bool) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if recursive:
                    yield from _in_folder(entry.path, recursive=True)
            elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 - a million times
                yield entry.path


def _matching(pattern: str, *, recursive: bool) -> Iterator[str]:
    for path in matching(pattern):
        if not Path(path).is_dir():
            yield path
        elif recursive:
            yield from _in_folder(path, recursive=True)
