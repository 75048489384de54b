"""The order in which a worker looks into its queues, so that high priority starts soon and nothing starves.

Redis gives a worker the first message of the first queue in that order which has any; kombu then tells the cycle which
queue it was. Service classes follow stride scheduling: a class moves on by ``1 / share`` for each message it gave, and
who is behind comes first. Within a class the queues take turns. The queues of accounts that use their share of a worker
already are left out.
"""

from collections.abc import Iterable

from config.queues import SERVICE_CLASSES, ServiceClass, queues_of


class QueueCycle:
    """A kombu ``queue_order_strategy``: kombu calls ``update``, ``consume`` and ``rotate``."""

    def __init__(self) -> None:
        self._classes: list[_Turn] = []
        self._left_out = frozenset[str]()
        self.last_used = ""  # the queue that gave the latest message

    def update(self, queues: Iterable[str]) -> None:
        """Order these queues from now on; names that belong to no service class are left out."""
        active = set(queues)
        turns = (_Turn(each, [name for name in each.queues if name in active]) for each in SERVICE_CLASSES)
        self._classes = [turn for turn in turns if turn.queues]

    def leave_out(self, account_ids: Iterable[int]) -> None:
        """Look into the queues of all accounts but these from now on."""
        self._left_out = frozenset[str]().union(*map(queues_of, account_ids))

    def consume(self, _count: int) -> list[str]:
        """Return the queues to be looked into, the one whose turn it is first."""
        ordered = sorted(self._classes, key=lambda turn: turn.position)  # stable: at a tie the better class goes first
        return [name for turn in ordered for name in turn.queues if name not in self._left_out]

    def rotate(self, last_used: str) -> str:
        """Note that this queue gave a message."""
        self.last_used = last_used
        served = next((turn for turn in self._classes if last_used in turn.queues), None)
        if served is not None:
            # Classes that had nothing to give must not save up their turns.
            for turn in self._classes:
                turn.position = max(turn.position, served.position)
            served.position += 1 / served.share
            served.queues.remove(last_used)
            served.queues.append(last_used)
        return last_used


class _Turn:
    """How far a service class has come."""

    def __init__(self, service_class: ServiceClass, queues: list[str]) -> None:
        self.share = service_class.share
        self.queues = queues
        self.position = 0.0
