"""Who may read files: what an older release left open, and what is still open."""

from pathlib import Path
from stat import S_IMODE, S_ISLNK

from config.private_files import OTHERS


def make_open(folder: Path) -> None:
    """Let every user read a folder and all in it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def open_to_others(folder: Path) -> list[Path]:
    """Return what in a folder, and the folder itself, gives rights to its group or to all users."""
    found = []
    for path in (folder, *folder.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # of a running service
            continue
        if mode & OTHERS and not S_ISLNK(mode):
            found.append(path)
    return found


def rights(path: Path) -> int:
    """Return the permission bits of a file or folder."""
    return S_IMODE(path.stat().st_mode)
