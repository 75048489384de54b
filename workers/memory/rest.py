"""Gives the memory that a burst has taken back to the system when a worker rests.

Under load, freed memory stays with the process, because the next batch or image takes it again (decision 22). After a
burst of large or many images that may be gigabytes, which nobody else on the machine can use. So once the worker has
been at rest for some seconds, and has grown since it did so last, what is free is given back. What the next tasks need
of it costs them page faults once.
"""

import ctypes
import gc
import logging
import mmap
import threading
from collections.abc import Callable
from pathlib import Path

from config.settings import MEBIBYTE

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 2.0
REST_CHECKS = 5  # in a row, at each of which nothing is under way
GROWN_BYTES = 64 * MEBIBYTE  # since the last time; for less it is not worth it
PAUSED_CHECKS = 15  # after each time

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = mmap.PAGESIZE


class MemoryAtRest:
    """The thread that looks whether a worker rests; ``is_busy`` tells whether a task is under way."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._trim = _libc_trim()
        self._quiet_checks = 0
        self._paused_checks = 0
        self._least_bytes = resident_bytes()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._check_until_stopped, name="memory-at-rest", daemon=True)

    def start(self) -> None:
        """Begin to look; never, with a C library that cannot give memory back."""
        if self._trim is not None:
            self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> bool:
        """Give memory back if the worker has rested for long enough and has grown; tell whether it did."""
        self._quiet_checks = 0 if self._is_busy() else self._quiet_checks + 1
        self._paused_checks = max(0, self._paused_checks - 1)
        if self._quiet_checks < REST_CHECKS or self._paused_checks or self._trim is None:
            return False
        before = resident_bytes()
        if before < self._least_bytes + GROWN_BYTES:
            return False
        gc.collect()
        self._trim(0)
        self._least_bytes, self._paused_checks = resident_bytes(), PAUSED_CHECKS
        logger.info("At rest: %d MiB of memory are given back.", max(0, before - self._least_bytes) // MEBIBYTE)
        return True

    def _check_until_stopped(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            self.check()


def resident_bytes() -> int:
    """Return the memory that this process takes; 0 where the system does not tell."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * _PAGE_BYTES


def _libc_trim() -> Callable[[int], int] | None:
    """Return glibc's function, which other C libraries do not have."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return trim
