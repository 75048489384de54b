"""Where Python, what is installed for it and the system's libraries lie, which every confined process reads.

Apart from :mod:`workers.sandbox.profiles`, which loads what decoders have no time for.
"""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import config
import contract
import inference
import store
import workers

LIBRARIES = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
NULL_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
RANDOM = ("/dev/random", "/dev/urandom")

_INSTALLED = ("site-packages", "dist-packages")


def paths(*groups: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the paths of some groups."""
    return tuple(map(Path, chain.from_iterable(groups)))


def python_folders() -> Iterator[Path]:
    """Return the interpreter, what is installed for it, and our rooms; not a checkout around them, which holds more."""
    yield from map(Path, {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix})
    rooms = [Path(folder) for room in (config, contract, inference, store, workers) for folder in room.__path__]
    yield from rooms
    checkouts = {room.parent for room in rooms if room.parent.name not in _INSTALLED}
    yield from (path for path in map(Path, sys.path) if path not in checkouts)
