"""Ends a worker process that cannot end itself: a device call or a deployment that hangs, a stop that takes too long.

Threads cannot be interrupted, so the process goes, and its supervisor starts another.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from inference.batcher import Batcher

logger = logging.getLogger(__name__)

EXIT_SOFTWARE = 70  # sysexits.h: an internal software error
INTERVAL_SECONDS = 1.0


def end_process(reason: str) -> NoReturn:
    """End this process at once; its leases run out, and others take its tasks over."""
    logger.critical("%s The worker ends itself.", reason)
    os._exit(EXIT_SOFTWARE)


def watch_device(batcher: Batcher, timeout_seconds: float) -> None:
    """Start a thread that ends the process when one batch runs for longer than ``timeout_seconds``."""

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(INTERVAL_SECONDS):
            if batcher.busy_seconds() > timeout_seconds:
                end_process(f"A batch has been running for {timeout_seconds:.0f} s.")

    threading.Thread(target=watch, name="watchdog", daemon=True).start()


@contextmanager
def ended_after(seconds: float, what: str) -> Iterator[None]:
    """End the process when the block takes longer than this; ``what`` it does stands in the log."""
    timer = threading.Timer(seconds, lambda: end_process(f"{what} took longer than {seconds:.0f} s."))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def exit_after(seconds: float, hand_back: Callable[[], None]) -> None:
    """Let the process end in ``seconds`` at the latest, whatever is still running; what is, is handed back first."""

    def give_up() -> None:
        hand_back()
        end_process(f"Tasks were still running {seconds:.0f} s after the stop.")

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
