"""Keeps heavy images to a share of a worker's cores, and to few in hand, so that light ones pass them.

Decoding does not give a core back before it is done. So there are fewer places for heavy images than cores, and no
more of them are taken than follow soon; the others wait in the ledger, for this worker or for another one. A heavy
image has no thread while it waits for a place.
"""

import threading

from workers.turns.fair_places import Begin, FairPlaces

IN_HAND_FOR_A_PLACE = 2  # one that is being decoded, and the one that follows it


class HeavyImages:
    """The heavy tasks of a worker, from when they are taken until their images are decoded; safe between threads."""

    def __init__(self, cores: int) -> None:
        count = max(1, cores - 1)
        self._places = FairPlaces(count)
        self._most = IN_HAND_FOR_A_PLACE * count
        self._in_hand: set[str] = set()
        self._lock = threading.Lock()

    def room(self) -> int:
        """Return how many more may be taken."""
        with self._lock:
            return max(0, self._most - len(self._in_hand))

    def took(self, task_id: str) -> None:
        """Note that one was taken."""
        with self._lock:
            self._in_hand.add(task_id)

    def let_go(self, task_id: str) -> None:
        """Note that a task is decoded or will not be, if it was taken as a heavy one."""
        with self._lock:
            self._in_hand.discard(task_id)

    def take_place(self, account_id: int, begin: Begin) -> None:
        """Call ``begin`` as soon as the account may decode a heavy image."""
        self._places.take(account_id, begin)

    def give_place_back(self, account_id: int) -> None:
        """Leave a place to another image."""
        self._places.give_back(account_id)
