"""What a service keeps on disk is for its user alone: its database, images that wait, weights, and its first key.

Each process of a service calls :func:`keep_private` when it starts. From then on it writes for its user alone, and so
do its children; what an older release left open in the data folder is closed.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE, S_IROTH, S_ISLNK, S_ISVTX, S_IXOTH

from config.data_folder import is_ours

logger = logging.getLogger(__name__)

OTHERS = 0o077  # the rights of the group and of everyone else
HIDDEN = (".", "lost+found")  # the latter in the root of a file system

NOT_READABLE = (
    "The data folder %s cannot be opened (%s). It is for its owner alone: run this process as its owner, or give the "
    "process a folder of its own with RECOQ_DATA."
)
NOT_OF_ROOT = (
    "The data folder %s belongs to the user with the ID %d, who cannot read what root writes there. Run Recoq as that "
    "user."
)
SHARED = (
    "The data folder %s holds other things too, so it stays open to other users; only what Recoq made in it is closed. "
    "Give Recoq a folder of its own with RECOQ_DATA."
)
STILL_OPEN = (
    "Other users may read %s and %d more in the data folder, which this process may not change. As their owner, run: "
    "chmod -R go-rwx %s"
)


def keep_private(data_folder: Path) -> None:
    """Have this process and its children write for their user alone, and close the data folder, if there is one.

    A folder that other things share, such as ``/tmp`` or a home, stays as it is: only what Recoq made in it is closed.
    Symbolic links are not followed. What cannot be closed is logged.
    """
    os.umask(OTHERS)
    folder = data_folder.resolve()
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return  # it is made, or refused, where it is needed
    except OSError as error:
        logger.warning(NOT_READABLE, folder, error.strerror)
        return
    owner = folder.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        logger.warning(NOT_OF_ROOT, folder, owner)
    if not _is_shared(folder, entries):
        _close_all([folder])
        return
    if _rights(folder) & OTHERS:
        logger.warning(SHARED, folder)
    _close_all([entry for entry in entries if is_ours(entry.name)])


def is_open_to_everyone(path: Path) -> bool:
    """Tell whether every user of the machine can reach and read a file or folder."""
    real = path.resolve()
    return all(_rights(folder) & S_IXOTH for folder in real.parents) and bool(_rights(real) & S_IROTH)


def _is_shared(folder: Path, entries: Sequence[Path]) -> bool:
    """Tell whether a folder holds folders that are not Recoq's, or is one in which all users make files.

    Hidden folders do not count: the data folder may be the home of a user that runs nothing else.
    """
    others = (entry for entry in entries if not is_ours(entry.name) and not entry.name.startswith(HIDDEN))
    return bool(_rights(folder) & S_ISVTX) or any(entry.is_dir() and not entry.is_symlink() for entry in others)


def _close_all(tops: Sequence[Path]) -> None:
    still_open = [path for top in tops for path in _left_open(top)]
    if still_open:
        logger.warning(STILL_OPEN, still_open[0], len(still_open) - 1, os.path.commonpath(still_open))


def _left_open(top: Path) -> Iterator[Path]:
    """Close a file, or a folder and all in it, and yield what cannot be closed."""
    if not _close(top, top.lstat().st_mode):
        yield top
    for entry in _all_in(top):
        with suppress(FileNotFoundError):  # Redis and SQLite remove files while this runs
            if not _close(entry, entry.stat(follow_symlinks=False).st_mode):
                yield Path(entry.path)


def _all_in(folder: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:  # a file, a folder that is gone, or one of another user
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _all_in(entry)


def _close(path: os.PathLike[str], mode: int) -> bool:
    """Take the rights of others away, and return whether they have none now."""
    if S_ISLNK(mode) or not mode & OTHERS:
        return True
    try:
        Path(path).chmod(S_IMODE(mode) & ~OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _rights(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)
