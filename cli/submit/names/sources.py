"""Finds the images that the arguments of ``recoq submit`` mean, one after the other.

Nothing here holds a list of them: a folder may have a million files.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cli.errors import CommandError
from cli.submit.names.lists import names_in_file, names_on_standard_input
from cli.submit.names.patterns import matching
from cli.submit.names.walk import Skipped, Walk

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif", ".avif", ".gif", ".bmp"),
        *(".jp2", ".j2k", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
LIST_SUFFIX = ".txt"
STANDARD_INPUT = "-"
WEB_SCHEMES = ("http://", "https://")


def is_url(name: str) -> bool:
    """Tell whether the image ``name`` is a URL rather than a file."""
    return name.lower().startswith(WEB_SCHEMES)


def is_called_like_an_image(name: str) -> bool:
    """Tell whether a folder's file of this name is taken."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - a million times


def check_arguments(arguments: Sequence[str], *, recursive: bool, null: bool = False) -> None:
    """Raise ``CommandError`` if an argument means no image, before any is sent."""
    for argument in arguments:
        if argument == STANDARD_INPUT or is_url(argument):
            continue
        if not os.path.lexists(argument) and not glob.has_magic(argument):
            raise CommandError(f"There is no file or folder {argument}.")
        walk = Walk(null)
        if next(find_images([argument], recursive=recursive, walk=walk), None) is None:
            raise CommandError(_nothing_in(argument, walk))


def _nothing_in(argument: str, walk: Walk) -> str:
    counts = ", ".join(f"{count} {reason}" for reason, count in walk.skipped.most_common())
    return f"No images matched {argument!r}." + (f" Skipped: {counts}." if counts else "")


def check_drawings(drawings: Path, arguments: Sequence[str]) -> None:
    """Raise ``CommandError`` if the folder of drawings lies where images are taken from: they would be sent too."""
    inside = drawings.resolve()
    for argument in arguments:
        if argument != STANDARD_INPUT and Path(argument).is_dir() and inside.is_relative_to(Path(argument).resolve()):
            raise CommandError(f"{drawings} is inside {argument}, so drawings would count as images; choose another.")


def find_images(arguments: Iterable[str], *, recursive: bool, walk: Walk | None = None) -> Iterator[str]:
    """Yield the paths and URLs of the images that ``arguments`` mean: in the order given, folders in no order.

    A file is yielded whatever it is called, a folder gives the files in it that are called like images, a ``.txt``
    file and standard input give one path or URL a line, and a pattern what matches it. ``walk`` counts what is met.

    Raises:
        CommandError: if a list cannot be read.
        OSError: if a folder that an argument names cannot be.
    """
    walk = walk or Walk()
    for argument in arguments:
        for name in _meant_by(argument, walk, recursive=recursive):
            walk.look(name)
            walk.found += 1
            yield name


def _meant_by(argument: str, walk: Walk, *, recursive: bool) -> Iterator[str]:
    walk.look(argument)
    if argument == STANDARD_INPUT:
        yield from names_on_standard_input(null=walk.null)
    elif is_url(argument):
        yield argument
    elif Path(argument).is_dir():
        with os.scandir(argument):  # which raises what reading a folder below it only counts
            pass
        yield from _in_folder(argument, walk, recursive=recursive)
    elif not os.path.lexists(argument):
        yield from _matching(argument, walk, recursive=recursive)
    elif argument.lower().endswith(LIST_SUFFIX):
        yield from names_in_file(argument, null=walk.null)
    else:
        yield argument


def _in_folder(folder: str, walk: Walk, *, recursive: bool) -> Iterator[str]:
    walk.look(folder)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                walk.look(folder)
                if reason := _reason_to_skip(entry, recursive=recursive):
                    walk.skip(reason)
                elif entry.is_dir(follow_symlinks=False):
                    yield from _in_folder(entry.path, walk, recursive=True)
                else:
                    yield entry.path
    except OSError:
        walk.cannot_read(folder)


def _reason_to_skip(entry: "os.DirEntry[str]", *, recursive: bool) -> Skipped | None:
    """Return why an entry of a folder is not taken; links are, and what they lead to is seen when it is read."""
    if entry.name.startswith("."):
        return Skipped.HIDDEN
    if entry.is_dir(follow_symlinks=False):
        return None if recursive else Skipped.FOLDER
    if not is_called_like_an_image(entry.name):
        return Skipped.OTHER_NAME
    is_taken = entry.is_file(follow_symlinks=False) or entry.is_symlink()
    return None if is_taken else Skipped.SPECIAL


def _matching(pattern: str, walk: Walk, *, recursive: bool) -> Iterator[str]:
    for path in matching(pattern, walk):
        if not Path(path).is_dir():
            yield path
        elif recursive:
            yield from _in_folder(path, walk, recursive=True)
        else:
            walk.skip(Skipped.FOLDER)
