"""Places that are shared among accounts, so that none can take them all.

An account that holds as many as are left free gets no more. So one account alone may hold half of the places, two a
third each, and whoever comes next finds one at once, however long the others keep theirs.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable

Begin = Callable[[], None]


class FairPlaces:
    """A number of places; safe to share between threads.

    ``begin`` functions are called without a lock, in the thread that asks for a place or that gives one back.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._held = Counter[int]()
        self._waiting: dict[int, deque[Begin]] = {}
        self._lock = threading.Lock()

    def take(self, account_id: int, begin: Begin) -> None:
        """Call ``begin`` as soon as there is a place for the account, which holds it until it is given back."""
        with self._lock:
            self._waiting.setdefault(account_id, deque()).append(begin)
            now = self._next_ones()
        for each in now:
            each()

    def give_back(self, account_id: int) -> None:
        """Leave one of the account's places to whoever waits for it."""
        with self._lock:
            self._free += 1
            self._held[account_id] -= 1
            if not self._held[account_id]:
                del self._held[account_id]
            now = self._next_ones()
        for each in now:
            each()

    def waiting(self) -> dict[int, int]:
        """Return the accounts that wait for places, and for how many."""
        with self._lock:
            return {account_id: len(begins) for account_id, begins in self._waiting.items()}

    def _next_ones(self) -> list[Begin]:
        """Give places away as long as somebody may have one, first to who has the fewest."""
        now = []
        while self._waiting:
            account_id = min(self._waiting, key=lambda each: self._held[each])
            if self._held[account_id] >= self._free:
                break
            begins = self._waiting[account_id]
            now.append(begins.popleft())
            if not begins:
                del self._waiting[account_id]
            self._free -= 1
            self._held[account_id] += 1
        return now
