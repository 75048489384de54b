"""Starts a worker's companions before the worker is confined, and takes hold of them afterwards.

They are started by the process that is about to become the worker (:mod:`workers.__main__`), which hands their lines on
as open descriptors, named on its command line.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings, child_environment, environment_without_secrets
from store.weights import local_folder_of, local_weights_folder
from workers.companions.channel import Companion

LAUNCHER, FETCHER, DOWNLOADER = "launcher", "fetcher", "downloader"


@dataclass(frozen=True)
class Companions:
    """A worker's companions. Weights in a folder need no downloader."""

    launcher: Companion
    fetcher: Companion
    downloader: Companion | None

    def all(self) -> list[Companion]:
        """Return those that there are."""
        return [companion for companion in (self.launcher, self.fetcher, self.downloader) if companion is not None]


@dataclass(frozen=True)
class Scratch:
    """A folder for what is needed for a while only; the launcher removes it when the worker has ended."""

    folder: Path

    @property
    def of_worker(self) -> Path:
        """What the worker may write; the rest is for trials."""
        return self.folder / "worker"


def start_companions(settings: Settings, scratch: Scratch) -> dict[str, socket.socket]:
    """Start the companions that a worker with these settings needs, and return its lines to them by name."""
    lines = {
        LAUNCHER: _start(
            "workers.companions.launcher",
            environment_without_secrets("RECOQ_SANDBOX", "RECOQ_LOG_LEVEL"),
            str(local_weights_folder(settings)),
            str(scratch.folder),
        ),
        FETCHER: _start(
            "workers.companions.fetcher",
            environment_without_secrets("RECOQ_SANDBOX", "RECOQ_LOG_LEVEL", "RECOQ_URL_", "RECOQ_MAX_IMAGE_BYTES"),
        ),
    }
    if local_folder_of(settings.weights_url) is None:
        lines[DOWNLOADER] = _start("workers.companions.downloader", child_environment({}))
    return lines


def take_over(descriptors: Sequence[str]) -> Companions:
    """Return the companions whose lines are named as ``name=descriptor``."""
    lines = dict(each.split("=", 1) for each in descriptors)
    companions = {name: Companion(name, socket.socket(fileno=int(number))) for name, number in lines.items()}
    return Companions(companions[LAUNCHER], companions[FETCHER], companions.get(DOWNLOADER))


def _start(module: str, environment: Mapping[str, str], *arguments: str) -> socket.socket:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.set_inheritable(True)
        os.posix_spawn(
            sys.executable,
            (sys.executable, "-P", "-m", module, str(theirs.fileno()), *arguments),
            environment,
            file_actions=((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),),
            setsid=True,  # Ctrl-C is for the worker, which still needs them to finish what it has begun
        )
        return socket.socket(fileno=ours.detach())
