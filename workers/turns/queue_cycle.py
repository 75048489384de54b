"""The order in which a worker looks into its queues, so that high priority starts soon and nothing starves.

Redis gives a worker tasks of the first queue in that order which has any for it. The service classes follow stride
scheduling: a class moves on by ``seconds / share`` for what it gave, and who is behind comes first.
"""

from collections.abc import Iterable

from config.queues import SERVICE_CLASSES
from store.turns import TOGETHER_SECONDS

LEAST_SECONDS = 0.001  # also a task that costs nothing takes a turn


class QueueCycle:
    """A kombu ``queue_order_strategy``: kombu calls ``update``, the worker's channel ``consume`` and ``charge``."""

    def __init__(self) -> None:
        self._classes: list[_Turn] = []

    def update(self, queues: Iterable[str]) -> None:
        """Order these queues from now on; names that belong to no service class are left out."""
        active = set(queues)
        self._classes = [_Turn(each.share, each.queue) for each in SERVICE_CLASSES if each.queue in active]

    def consume(self, _count: int) -> list[str]:
        """Return the queues to be looked into, the one whose turn it is first."""
        ordered = sorted(self._classes, key=lambda turn: turn.position)  # stable: at a tie the better class goes first
        return [turn.queue for turn in ordered]

    def charge(self, queue: str, seconds: float) -> None:
        """Note that this queue gave tasks that cost so much.

        Heavy tasks count as no more than others that run together: their number is bounded, and the light ones of the
        same class are not to make up for them.
        """
        served = next((turn for turn in self._classes if turn.queue == queue), None)
        if served is not None:
            # Classes that had nothing to give must not save up their turns.
            for turn in self._classes:
                turn.position = max(turn.position, served.position)
            served.position += min(max(seconds, LEAST_SECONDS), TOGETHER_SECONDS) / served.share


class _Turn:
    """How far a service class has come."""

    def __init__(self, share: int, queue: str) -> None:
        self.share = share
        self.queue = queue
        self.position = 0.0
