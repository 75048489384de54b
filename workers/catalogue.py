"""Looks up what a task refers to, in SQL at first and from memory afterwards.

Versions and the networks behind them are immutable in all that matters to a worker, so a look-up holds for good; the
memory is bounded only to bound it. Names may change, but workers do not use them.
"""

import threading

from cachetools import LRUCache, cached

from store.networks import Networks
from store.records import NetworkRecord, RunnableVersion
from store.versions import Versions

REMEMBERED = 1024


class Catalogue:
    """Versions and networks by ID; safe to share between threads."""

    def __init__(self, networks: Networks, versions: Versions) -> None:
        self.version = cached(LRUCache[int, RunnableVersion](REMEMBERED), lock=threading.Lock())(versions.runnable)
        self.network = cached(LRUCache[int, NetworkRecord](REMEMBERED), lock=threading.Lock())(networks.get_by_id)
