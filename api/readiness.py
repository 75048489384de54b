"""Decides whether the service is ready: whether what is accepted now would be done, and if not, why.

That takes more than answering: the database, Redis, a worker that lives, and a queue that moves.
"""

from collections.abc import Callable

from api.services import Services
from store.errors import Unavailable

STALLED_SECONDS = 60  # for so long no task may end while older ones wait; Drain counts as far back

Check = Callable[[Services], None]


def _check_database(services: Services) -> None:
    services.database.check()


def _check_queue(services: Services) -> None:
    services.ledger.check()


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


CHECKS: dict[str, Check] = {
    "database": _check_database,
    "queue": _check_queue,
    "workers": _check_workers,
    "progress": _check_progress,
}
NEED_THE_QUEUE = ("workers", "progress")


def reasons_against(services: Services) -> dict[str, str]:
    """Return what speaks against being ready, by the name of the check; empty if nothing does."""
    reasons: dict[str, str] = {}
    for name, check in CHECKS.items():
        if "queue" in reasons and name in NEED_THE_QUEUE:
            continue
        try:
            check(services)
        except Unavailable as error:
            reasons[name] = str(error)
    return reasons
