"""Ends a worker process that cannot end itself: something hangs, or half of it is dead.

Threads cannot be interrupted, so the process goes, and its supervisor starts another. Whatever hangs would otherwise
keep its task for ever: its lease is renewed as long as the process lives.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

logger = logging.getLogger(__name__)

EXIT_SOFTWARE = 70  # sysexits.h: an internal software error
INTERVAL_SECONDS = 1.0
VITAL_THREADS = ("batcher-", "device-decoder", "leases", "reconciler", "telemetry", "watchdog")  # how names begin


def end_process(reason: str) -> NoReturn:
    """End this process at once; its leases run out, and others take its tasks over."""
    logger.critical("%s The worker ends itself.", reason)
    os._exit(EXIT_SOFTWARE)


@dataclass(frozen=True)
class Limit:
    """How long something may run: ``what`` it is, for how long it has been, and for how long it may be."""

    what: str
    seconds: Callable[[], float]
    most_seconds: float


def watch(limits: Sequence[Limit]) -> None:
    """Start a thread that ends the process when something runs for longer than it may."""

    def look() -> None:
        pause = threading.Event()
        while not pause.wait(INTERVAL_SECONDS):
            for limit in limits:
                if limit.seconds() > limit.most_seconds:
                    end_process(f"{limit.what} has been running for {limit.most_seconds:.0f} s.")

    threading.Thread(target=look, name="watchdog", daemon=True).start()


def end_with_vital_threads() -> None:
    """End the process from now on when one of the threads that it cannot do without ends by an error."""
    show = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        show(failure)
        if failure.thread is not None and failure.thread.name.startswith(VITAL_THREADS):
            end_process(f"The thread {failure.thread.name} has failed.")

    threading.excepthook = hook


def end_with(name: str, wait_for_end: Callable[[], None]) -> None:
    """End the process from now on when another one ends that it cannot do without and may not start again."""

    def wait() -> None:
        wait_for_end()
        end_process(f"The {name} beside the worker has ended.")

    threading.Thread(target=wait, name=name, daemon=True).start()


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
