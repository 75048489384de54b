"""Tells how long a network has had nothing to do, so that the model cache lets idle ones leave first.

The batcher notes each sample from its preparation until its batch has run; the model cache asks.
"""

import threading
from dataclasses import dataclass
from time import monotonic
from weakref import WeakKeyDictionary

from inference.waiting import Runnable


@dataclass
class _Use:
    samples: int = 0
    last_end: float = 0.0


class NetworkUse:
    """The samples that are being prepared, wait or run, by network; safe to share between threads."""

    def __init__(self) -> None:
        self._uses: WeakKeyDictionary[Runnable, _Use] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def begin(self, network: Runnable) -> None:
        """Note that a sample is on its way."""
        with self._lock:
            self._uses.setdefault(network, _Use()).samples += 1

    def end(self, network: Runnable, samples: int = 1) -> None:
        """Note that samples are done with."""
        with self._lock:
            use = self._uses[network]
            use.samples -= samples
            use.last_end = monotonic()

    def idle_seconds(self, network: Runnable) -> float:
        """Return for how long a network has been idle; 0 while it is in use, and before its first use."""
        with self._lock:
            use = self._uses.get(network)
            return 0.0 if use is None or use.samples else monotonic() - use.last_end
