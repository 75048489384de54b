"""Keeps the networks that a device is using loaded, within a budget of bytes; the least recently used leaves first.

However many tasks wait for one network, it is loaded once, on the thread of the first of them, so that networks that
are already loaded go on running meanwhile. A network that cannot be loaded is remembered as such for a short while,
so that its tasks fail at once instead of each trying again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Generic, Protocol, TypeVar

FAILURE_MEMORY_SECONDS = 10.0


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes of device memory."""


Loaded = TypeVar("Loaded", bound=Sized)


class ModelCache(Generic[Loaded]):
    """Loaded networks by key; safe to share between threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[str, Future[Loaded]] = OrderedDict()
        self._failed_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], Loaded]) -> Loaded:
        """Return the network of ``key``, by ``load()`` if it is not here yet.

        Callers keep what they got as long as they use it: eviction only forgets, it never pulls weights away.

        Raises:
            Exception: what ``load`` raised, for everyone who waited for it and shortly after.
        """
        with self._lock:
            self._forget_old_failure(key)
            entry = self._entries.get(key)
            is_first = entry is None
            if entry is None:
                entry = self._entries[key] = Future()
            self._entries.move_to_end(key)
        if is_first:
            self._load_into(key, entry, load)
        return entry.result()

    def put(self, key: str, loaded: Loaded) -> None:
        """Keep this network under ``key`` from now on, instead of what was there."""
        entry: Future[Loaded] = Future()
        entry.set_result(loaded)
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            self._evict(keep=key)

    def forget(self, key: str) -> None:
        """Drop a network, for example because it was deleted."""
        with self._lock:
            self._entries.pop(key, None)
            self._failed_at.pop(key, None)

    def keys(self) -> list[str]:
        """Return the keys of what is loaded, least recently used first."""
        with self._lock:
            return [key for key, entry in self._entries.items() if _loaded(entry) is not None]

    def _load_into(self, key: str, entry: "Future[Loaded]", load: Callable[[], Loaded]) -> None:
        try:
            loaded = load()
        except BaseException as error:  # everyone who waits must hear of it, also of a MemoryError
            with self._lock:
                self._failed_at[key] = monotonic()
            entry.set_exception(error)
            return
        entry.set_result(loaded)
        with self._lock:
            self._evict(keep=key)

    def _forget_old_failure(self, key: str) -> None:
        failed_at = self._failed_at.get(key)
        if failed_at is not None and monotonic() - failed_at > FAILURE_MEMORY_SECONDS:
            del self._failed_at[key]
            self._entries.pop(key, None)

    def _evict(self, keep: str) -> None:
        sizes = {key: loaded.nbytes for key, entry in self._entries.items() if (loaded := _loaded(entry)) is not None}
        total = sum(sizes.values())
        for key, size in sizes.items():
            if total <= self._budget_bytes:
                return
            if key != keep:
                del self._entries[key]
                total -= size


def _loaded(entry: "Future[Loaded]") -> Loaded | None:
    if not entry.done() or entry.exception() is not None:
        return None
    return entry.result()
