"""Removes files of networks that processes left behind when they died: at the start of an API process, and hourly."""

import logging
import threading
import time

from store.errors import StoreError
from store.network_files import NetworkFiles

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 3600.0


class FileSweeper:
    """The thread of an API process that looks for abandoned files, for as long as the process lives."""

    def __init__(self, files: NetworkFiles) -> None:
        self._files = files

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._sweep_for_ever, name="file-sweeper", daemon=True).start()

    def _sweep_for_ever(self) -> None:
        while True:
            self._sweep()
            time.sleep(INTERVAL_SECONDS)

    def _sweep(self) -> None:
        try:
            removed = self._files.remove_abandoned()
        except StoreError as error:
            logger.warning("Files that no network names could not be removed: %s", error)
        else:
            if removed:
                logger.info("Removed the files of %d upload(s) or network(s) that had been left behind.", removed)
