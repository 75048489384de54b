"""Looks up what a task refers to, in SQL at first and from memory afterwards.

Versions and the networks behind them hardly change for a worker once the network's deployment has ended: only how a
network is batched does, when a worker has seen that its batches change answers. So a look-up holds for half a minute,
and longer while the database is away. Names may change, but workers do not use them.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache

from store.errors import NotFound, Unavailable
from store.networks import Networks
from store.records import NetworkRecord, RunnableVersion
from store.versions import Versions

REMEMBERED = 1024
FRESH_SECONDS = 30.0

Record = TypeVar("Record", NetworkRecord, RunnableVersion)


@dataclass(frozen=True)
class _Known(Generic[Record]):
    record: Record
    since: float


class Catalogue:
    """Versions and networks by ID; safe to share between threads."""

    def __init__(self, networks: Networks, versions: Versions, clock: Callable[[], float] = monotonic) -> None:
        self._networks, self._versions = networks, versions
        self._clock = clock
        self._known_networks: LRUCache[int, _Known[NetworkRecord]] = LRUCache(REMEMBERED)
        self._known_versions: LRUCache[int, _Known[RunnableVersion]] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def version(self, version_id: int) -> RunnableVersion:
        """Return a version.

        Raises:
            NotFound: if it is gone.
        """
        return self._look_up(
            version_id, self._known_versions, self._versions.runnable, lambda found: is_settled(found.network)
        )

    def network(self, network_id: int) -> NetworkRecord:
        """Return a network.

        Raises:
            NotFound: if it is gone.
        """
        return self._look_up(network_id, self._known_networks, self._networks.get_by_id, is_settled)

    def forget(self, network_id: int) -> None:
        """Read a network, and the versions that run it, again."""
        with self._lock:
            self._known_networks.pop(network_id, None)
            for version_id, known in list(self._known_versions.items()):
                if known.record.network.id == network_id:
                    del self._known_versions[version_id]

    def _look_up(
        self,
        key: int,
        known: "LRUCache[int, _Known[Record]]",
        read: Callable[[int], Record],
        may_be_kept: Callable[[Record], bool],
    ) -> Record:
        now = self._clock()
        with self._lock:
            found = known.get(key)
        if found is not None and now < found.since + FRESH_SECONDS:
            return found.record
        try:
            record = read(key)
        except (NotFound, Unavailable):
            if found is None:
                raise
            record = found.record  # tasks that were accepted go on
        if may_be_kept(record):
            with self._lock:
                known[key] = _Known(record, now)
        return record


def is_settled(network: NetworkRecord) -> bool:
    """Tell whether the network's deployment has ended, and with it nearly all changes that concern a worker."""
    return network.deployment.status != "pending"
