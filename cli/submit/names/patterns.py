"""Patterns such as ``photos/**/*.jpg``, expanded one entry of a folder at a time.

``glob`` and ``pathlib`` first make a list of all names of a folder, and a folder may have a million.
"""

import glob
import os
import re
from collections.abc import Iterator
from fnmatch import translate

from cli.submit.names.walk import Walk

ANY_FOLDERS = "**"
HIDDEN = "."
SEPARATOR = "/"


def matching(pattern: str, walk: Walk) -> Iterator[str]:
    """Yield the paths that match, in no order, as ``glob`` understands them; links to folders are no part of ``**``."""
    root = SEPARATOR if pattern.startswith(SEPARATOR) else ""
    found = _expanded(root, walk, [part for part in pattern.split(SEPARATOR) if part])
    return filter(os.path.isdir, found) if pattern.endswith(SEPARATOR) else found


def _expanded(folder: str, walk: Walk, parts: list[str]) -> Iterator[str]:
    """Yield what matches ``parts``, of which there is at least one, in ``folder``."""
    first, rest = parts[0], parts[1:]
    if first == ANY_FOLDERS:
        yield from _at_any_depth(folder, walk, rest)
    elif glob.has_magic(first):
        yield from _with_such_names(folder, walk, first, rest)
    elif rest:
        yield from _expanded(os.path.join(folder, first), walk, rest)  # noqa: PTH118 - a million times
    elif os.path.lexists(path := os.path.join(folder, first)):  # noqa: PTH118 - likewise
        yield path


def _at_any_depth(folder: str, walk: Walk, rest: list[str]) -> Iterator[str]:
    if rest:
        yield from _expanded(folder, walk, rest)
    for entry in _entries(folder, walk):
        if entry.name.startswith(HIDDEN):
            continue
        path = os.path.join(folder, entry.name)  # noqa: PTH118
        if not rest:
            yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _at_any_depth(path, walk, rest)


def _with_such_names(folder: str, walk: Walk, name: str, rest: list[str]) -> Iterator[str]:
    fits = re.compile(translate(name)).match
    for entry in _entries(folder, walk):
        if not fits(entry.name) or (entry.name.startswith(HIDDEN) and not name.startswith(HIDDEN)):
            continue
        path = os.path.join(folder, entry.name)  # noqa: PTH118
        if not rest:
            yield path
        elif entry.is_dir():
            yield from _expanded(path, walk, rest)


def _entries(folder: str, walk: Walk) -> Iterator["os.DirEntry[str]"]:
    """Yield what is in a folder; one that is there and cannot be read is counted."""
    walk.look(folder)
    try:
        with os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                walk.look(folder)
                yield entry
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        walk.cannot_read(folder)
