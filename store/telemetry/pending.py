"""How much work there is: the tasks that have not ended, by network, as the ledger has them."""

from dataclasses import dataclass

from redis import Redis

from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import PENDING_NETWORKS_KEY, PENDING_PREFIX


@dataclass(frozen=True)
class Pending:
    """The tasks of one network that wait or run, and the age of the oldest. ``network_id`` 0 stands for none."""

    network_id: int
    count: int
    oldest_seconds: float


class PendingTasks:
    """Reads the ledger's index of tasks that have not ended."""

    def __init__(self, redis: Redis) -> None:
        self._read = ledger_script(redis, "clock", "pending")

    def by_network(self) -> list[Pending]:
        """Return the networks that have such tasks, by ID. The cost is that of the networks, not of the tasks."""
        with redis_errors_as_unavailable():
            flat = self._read(keys=[PENDING_NETWORKS_KEY], args=[PENDING_PREFIX])
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        found = [Pending(int(network), count, max(0.0, float(oldest))) for network, count, oldest in rows]
        return sorted(found, key=lambda pending: pending.network_id)
