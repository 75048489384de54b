"""Looks up what a task refers to, in SQL at first and from memory afterwards.

Versions and the networks behind them are immutable in all that matters to a worker once the network's deployment has
ended, so a look-up then holds for good; the memory is bounded only to bound it. Names may change, but workers do not
use them.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from cachetools import LRUCache

from store.networks import Networks
from store.records import NetworkRecord, RunnableVersion
from store.versions import Versions

REMEMBERED = 1024

Record = TypeVar("Record", NetworkRecord, RunnableVersion)


class Catalogue:
    """Versions and networks by ID; safe to share between threads."""

    def __init__(self, networks: Networks, versions: Versions) -> None:
        self._networks, self._versions = networks, versions
        self._known_networks: LRUCache[int, NetworkRecord] = LRUCache(REMEMBERED)
        self._known_versions: LRUCache[int, RunnableVersion] = LRUCache(REMEMBERED)
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

    def _look_up(
        self,
        key: int,
        known: "LRUCache[int, Record]",
        read: Callable[[int], Record],
        may_be_kept: Callable[[Record], bool],
    ) -> Record:
        with self._lock:
            found = known.get(key)
        if found is None:
            found = read(key)
            if may_be_kept(found):
                with self._lock:
                    known[key] = found
        return found


def is_settled(network: NetworkRecord) -> bool:
    """Tell whether the network's deployment has ended, and with it all changes that concern a worker."""
    return network.deployment.status != "pending"
