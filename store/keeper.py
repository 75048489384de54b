"""Does once a second what an API process owes to the ledger, whether any worker lives and whether anybody asks or not.

That is to end tasks whose deadline is over, which frees the images of those that no worker takes; and to look whether
the ledger has lost what it had, of which operators are to learn.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from store.errors import Unavailable

INTERVAL_SECONDS = 1.0


class Keeper:
    """A thread that calls ``act`` again and again, for as long as the process lives or until it is stopped."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self._act = act
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._act_until_stopped, name=name, daemon=True)

    def start(self) -> None:
        """Begin, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Call it no more."""
        self._stopped.set()
        self._thread.join()

    def _act_until_stopped(self) -> None:
        while not self._stopped.is_set():
            with suppress(Unavailable):  # which is noted; the next second tries again
                self._act()
            self._stopped.wait(INTERVAL_SECONDS)
