"""Sends a process's telemetry once a second, and the heartbeat of a worker with it."""

import threading
from collections.abc import Callable
from contextlib import suppress

from store.errors import Unavailable
from store.telemetry.heartbeats import Heartbeat
from store.telemetry.telemetry import Telemetry

INTERVAL_SECONDS = 1.0


class Reporter:
    """The thread that sends a process's telemetry; with ``heartbeat``, a heartbeat each time as well."""

    def __init__(self, telemetry: Telemetry, heartbeat: Callable[[], Heartbeat] | None = None) -> None:
        self._telemetry = telemetry
        self._heartbeat = heartbeat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._report_until_stopped, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """Report once more, and say that the worker has stopped; nothing if it never began."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _report_until_stopped(self) -> None:
        self._report()
        while not self._stopped.wait(INTERVAL_SECONDS):
            self._report()
        self._report()
        self._say_farewell()

    def _report(self) -> None:
        with suppress(Unavailable):  # which is noted; the next second tries again
            self._telemetry.send()
            if self._heartbeat is not None:
                self._telemetry.heartbeats.beat(self._heartbeat())

    def _say_farewell(self) -> None:
        if self._heartbeat is None:
            return
        with suppress(Unavailable):
            self._telemetry.heartbeats.forget(self._heartbeat().worker)
