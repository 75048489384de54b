"""Decides whether the service is ready: whether what is accepted now would be done, and if not, why.

That takes more than answering: a database that can be read, a ledger that takes writes, a weight store, a worker that
lives, and a queue that moves. Anyone may ask, so each is looked at every few seconds at most.
"""

from collections.abc import Callable
from functools import partial
from typing import cast

from flask import Flask, current_app
from gevent import Timeout, get_hub
from gevent.event import AsyncResult

from api.services import Services
from store.availability.remembered_check import RememberedCheck
from store.errors import Unavailable, WeightsAway

STALLED_SECONDS = 60  # for so long no task may end while older ones wait; Drain counts as far back
KEPT_SECONDS = 2.0
WEIGHTS_KEPT_SECONDS = 10.0
WEIGHTS_ANSWER_SECONDS = 3.0
EXTENSION = "recoq-readiness"
NEED_THE_QUEUE = ("workers", "progress")


class Readiness:
    """The checks of one process."""

    def __init__(self, services: Services) -> None:
        self._checks = {
            "database": RememberedCheck(services.database.check, KEPT_SECONDS),
            "queue": RememberedCheck(services.ledger.probe.check, KEPT_SECONDS),
            "weights": RememberedCheck(_InThread(services.weights.check), WEIGHTS_KEPT_SECONDS),
            "workers": RememberedCheck(partial(_check_workers, services), KEPT_SECONDS),
            "progress": RememberedCheck(partial(_check_progress, services), KEPT_SECONDS),
        }

    def reasons_against(self) -> dict[str, str]:
        """Return what speaks against being ready, by the name of the check; empty if nothing does."""
        reasons: dict[str, str] = {}
        for name, check in self._checks.items():
            if "queue" in reasons and name in NEED_THE_QUEUE:
                continue
            if (reason := check.reason()) is not None:
                reasons[name] = reason
        return reasons


def attach_readiness(app: Flask, services: Services) -> None:
    """Let ``app`` say whether ``services`` are ready."""
    app.extensions[EXTENSION] = Readiness(services)


def readiness() -> Readiness:
    """Return that of the application that serves this request."""
    return cast(Readiness, current_app.extensions[EXTENSION])


class _InThread:
    """Runs a check in a thread of the operating system: a network file system that hangs must not hold the greenlets.

    As long as that thread hangs, no other one is started.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._running: AsyncResult | None = None

    def __call__(self) -> None:
        """Return if the check does.

        Raises:
            Unavailable: as the check does, or if it takes too long.
        """
        if self._running is None:
            self._running = get_hub().threadpool.spawn(self._check)
        try:
            self._running.get(timeout=WEIGHTS_ANSWER_SECONDS)
        except Timeout as error:
            raise WeightsAway("The weight store does not answer in time.") from error
        finally:
            if self._running.ready():
                self._running = None


def _check_workers(services: Services) -> None:
    if not services.telemetry.heartbeats.living():
        raise Unavailable("No worker is running.")


def _check_progress(services: Services) -> None:
    waiting = services.queue.depth()
    if not waiting or services.drain.ended():
        return
    oldest_seconds = max((each.oldest_seconds for each in services.telemetry.pending.by_network()), default=0.0)
    if oldest_seconds >= STALLED_SECONDS:
        raise Unavailable(
            f"The queue does not move: {waiting} tasks wait, the oldest for {oldest_seconds:.0f} s, and none has ended "
            f"for {STALLED_SECONDS} s."
        )
