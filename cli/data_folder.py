"""The folder that holds the state of ``recoq up``, and the lock that keeps a second one out."""

import fcntl
import os
from pathlib import Path

from config.data_folder import LOCK_FILE


class DataFolderError(Exception):
    """The data folder cannot be used; the message says why and what to do."""


def open_data_folder(folder: Path) -> int:
    """Create the folder if need be, lock it, and return the file descriptor that holds the lock.

    Children that inherit the descriptor share the lock, so that it outlives a killed parent for as long as its Redis
    still writes to the folder.

    Raises:
        DataFolderError: if the folder cannot be written, or is in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderError(
            f"The data folder {folder} cannot be written ({error.strerror}). Choose another one with RECOQ_DATA."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DataFolderError(
            f"The data folder {folder} is in use by another recoq up. Stop that one, or choose another "
            "folder with RECOQ_DATA."
        ) from error
    return descriptor
