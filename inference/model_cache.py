"""Keeps the networks that a device is using loaded, within a budget of bytes; the least recently used leaves first.

However many tasks wait for one network, it is loaded once, on a thread of its own, so that networks that are already
loaded go on running meanwhile. When room is needed, an idle network leaves at once. Where more networks are in use than
fit, loading must not become all that happens: a network in use stays for a multiple of the time that it took to load,
few are loaded at once, and one that had to leave while tasks still held it comes back for nothing. A network that
cannot be loaded is remembered as such for a short while, so that its tasks fail at once instead of each trying again.
"""

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from inference.errors import without_frames

LOADS_AT_ONCE = 2  # so that a large network does not hold up all others, and loading does not take all cores
FAILURE_MEMORY_SECONDS = 10.0
IDLE_SECONDS = 0.2  # clients that send one image after the other are back by then
STAY_OVER_LOAD = 4.0  # a network that is in use stays for so many times as long as it took to load
SHORTEST_STAY_SECONDS = 1.0
LONGEST_STAY_SECONDS = 20.0
LONGEST_WAIT_SECONDS = 30.0  # for room; then a load goes ahead, and the budget is exceeded for a while
POLL_SECONDS = 0.02
COLLECT_SECONDS = 0.5  # while networks that had to leave are still there


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes of device memory."""


def _never_idle(_loaded: object) -> float:
    return 0.0


Loaded = TypeVar("Loaded", bound=Sized)
Room = Callable[[int], AbstractContextManager[None]]
"""Waits until so many bytes fit and it is this load's turn; the block that it guards is where memory is taken."""


@dataclass
class _Entry(Generic[Loaded]):
    """A network that is loaded, is being loaded, or could not be.

    ``nbytes`` are its share of the budget: what is expected while it is being loaded, then what it has taken.
    """

    future: "Future[Loaded]" = field(default_factory=Future)
    is_pinned: bool = False
    nbytes: int = 0
    stays_until: float = 0.0
    failed_at: float | None = None

    @property
    def loaded(self) -> Loaded | None:
        return self.future.result() if self.future.done() and self.failed_at is None else None


class ModelCache(Generic[Loaded]):
    """Loaded networks by key; safe to share between threads.

    Args:
        budget_bytes: of all networks together.
        shortest_stay_seconds: of a network that is in use, or waits for its first use.
        idle_seconds: returns for how long a network has had nothing to do, 0 while it is in use or was never used.
    """

    def __init__(
        self,
        budget_bytes: int,
        *,
        shortest_stay_seconds: float = SHORTEST_STAY_SECONDS,
        idle_seconds: Callable[[Loaded], float] = _never_idle,
    ) -> None:
        self.budget_bytes = budget_bytes
        self._idle_seconds = idle_seconds
        self._shortest_stay_seconds = shortest_stay_seconds
        self._entries: OrderedDict[str, _Entry[Loaded]] = OrderedDict()
        # Those that had to leave and that tasks still use: their memory is not free before these let go of them.
        self._leaving: WeakValueDictionary[str, Loaded] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(LOADS_AT_ONCE)

    def get(self, key: str, load: Callable[[Room], Loaded], *, is_pinned: bool = False) -> Loaded:
        """Return the network of ``key``, waiting until it is loaded.

        Callers keep what they got as long as they use it: eviction only forgets, it never pulls weights away.

        Raises:
            Exception: what ``load`` raised, for everyone who waited for it and shortly after.
        """
        return self.begin(key, load, is_pinned=is_pinned).result()

    def begin(self, key: str, load: Callable[[Room], Loaded], *, is_pinned: bool = False) -> "Future[Loaded]":
        """Return the future of the network of ``key``; if it is not here, a thread begins to load it.

        Args:
            key: names the network.
            load: loads it; it takes the memory inside of ``with room(nbytes)``, and may do before what takes none.
            is_pinned: the network never leaves by itself once it is loaded.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not _is_old_failure(entry):
                self._entries.move_to_end(key)
                return entry.future
            entry = self._entries[key] = _Entry(is_pinned=is_pinned)
            self._entries.move_to_end(key)
            still_here = self._leaving.pop(key, None)
            if still_here is not None:
                self._settle(entry, still_here, 0.0)
                entry.future.set_result(still_here)
                return entry.future
        threading.Thread(target=self._load_into, args=(key, entry, load), name="loader", daemon=True).start()
        return entry.future

    def put(self, key: str, loaded: Loaded, *, is_pinned: bool = False) -> None:
        """Keep this network under ``key`` from now on, instead of what was there."""
        entry: _Entry[Loaded] = _Entry(is_pinned=is_pinned)
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            self._leaving.pop(key, None)
            self._settle(entry, loaded, 0.0)
            entry.future.set_result(loaded)

    def forget(self, key: str) -> None:
        """Drop a network, for example because it was deleted."""
        with self._lock:
            self._entries.pop(key, None)
            self._leaving.pop(key, None)

    def make_room(self) -> None:
        """Drop all networks that are not pinned, whatever the budget says, because memory has run out."""
        with self._lock:
            for key in [key for key, entry in self._entries.items() if entry.loaded is not None]:
                if not self._entries[key].is_pinned:
                    self._evict(key)

    def keys(self) -> list[str]:
        """Return the keys of what is loaded, least recently used first."""
        with self._lock:
            return [key for key, entry in self._entries.items() if entry.loaded is not None]

    def used_bytes(self) -> int:
        """Return how much of the budget is taken, by networks that are loaded, are being loaded, or are leaving."""
        with self._lock:
            return self._used()

    def _load_into(self, key: str, entry: _Entry[Loaded], load: Callable[[Room], Loaded]) -> None:
        started = monotonic()

        @contextmanager
        def room(nbytes: int) -> Iterator[None]:
            nonlocal started
            with self._turns:
                self._wait_for_room(key, entry, nbytes)
                started = monotonic()
                yield

        try:
            loaded = load(room)
        except BaseException as error:  # everyone who waits must hear of it, also of a MemoryError
            with self._lock:
                entry.nbytes, entry.failed_at = 0, monotonic()
            entry.future.set_exception(without_frames(error))
            return
        with self._lock:
            self._settle(entry, loaded, monotonic() - started)
        entry.future.set_result(loaded)  # without the lock: whoever waits may come back here at once

    def _settle(self, entry: _Entry[Loaded], loaded: Loaded, load_seconds: float) -> None:
        """Count what a network has taken, and have others leave if that is more than there was room for."""
        stay = min(max(STAY_OVER_LOAD * load_seconds, self._shortest_stay_seconds), LONGEST_STAY_SECONDS)
        entry.nbytes, entry.stays_until = loaded.nbytes, monotonic() + stay
        while self._used() > self.budget_bytes and (leaver := self._next_to_leave(entry)) is not None:
            self._evict(leaver)

    def _wait_for_room(self, key: str, entry: _Entry[Loaded], nbytes: int) -> None:
        """Have others leave until ``nbytes`` fit, and take them; one that is larger than the budget waits for all."""
        deadline, some_left, collect_at = monotonic() + LONGEST_WAIT_SECONDS, False, 0.0
        while True:
            with self._lock:
                while self._used() + nbytes > self.budget_bytes and (leaver := self._next_to_leave(entry)) is not None:
                    self._evict(leaver)
                    some_left = True
                fits = self._used() + nbytes <= self.budget_bytes
                if fits or monotonic() > deadline or not self._may_become_free(entry):
                    entry.nbytes = nbytes
                    break
            if self._leaving and monotonic() >= collect_at:
                gc.collect()  # traced networks are parts of cycles
                collect_at = monotonic() + COLLECT_SECONDS
            else:
                threading.Event().wait(POLL_SECONDS)
        if some_left:
            gc.collect()  # modules of exported programs are parts of cycles, without their network

    def _used(self) -> int:
        leaving = sum(loaded.nbytes for loaded in list(self._leaving.values()))
        return leaving + sum(entry.nbytes for entry in self._entries.values())

    def _next_to_leave(self, keep: _Entry[Loaded]) -> str | None:
        """Return the key of the network that makes room first: an idle one, or one whose stay is over."""
        now, over = monotonic(), None
        for key, entry in self._entries.items():
            loaded = entry.loaded
            if entry is keep or loaded is None or entry.is_pinned:
                continue
            if self._idle_seconds(loaded) >= IDLE_SECONDS:
                return key
            if over is None and entry.stays_until <= now:
                over = key
        return over

    def _may_become_free(self, keep: _Entry[Loaded]) -> bool:
        others = (entry for entry in self._entries.values() if entry is not keep and not entry.is_pinned)
        return bool(self._leaving) or any(entry.nbytes for entry in others)

    def _evict(self, key: str) -> None:
        loaded = self._entries.pop(key).loaded
        assert loaded is not None  # noqa: S101  # only those that are loaded are evicted
        self._leaving[key] = loaded


def _is_old_failure(entry: "_Entry[Loaded]") -> bool:
    return entry.failed_at is not None and monotonic() - entry.failed_at > FAILURE_MEMORY_SECONDS
