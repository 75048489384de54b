"""Tells for how long a batch that is not full is to wait for samples that are being prepared.

On a CPU, the preparation of images and the networks share the cores. A lane that begins with the one sample that is
ready takes a core away from its companions, and spends on it alone most of what a full batch costs (decision 20 has the
figures). What nobody prepares is not waited for, so a lone sample starts at once.
"""

from collections import Counter
from weakref import WeakKeyDictionary

from inference.waiting import BatchRun, Runnable, Waiting

BATCHES = 2  # a batch is held for no longer than so many of its network took
LONGEST_SECONDS = 0.1  # enough for an image that does not itself wait, for memory or for a thread


class Expected:
    """The samples that are being prepared, by network; for one thread at a time."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest_seconds = longest_seconds
        self._counts: Counter[Runnable] = Counter()
        self._batch_seconds: WeakKeyDictionary[Runnable, float] = WeakKeyDictionary()

    def add(self, network: Runnable) -> None:
        """Note that a sample is being prepared."""
        self._counts[network] += 1

    def remove(self, network: Runnable) -> None:
        """Note that it is prepared, or will never be."""
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]

    def has_run(self, network: Runnable, batch: BatchRun) -> None:
        """Note how long a batch took."""
        self._batch_seconds[network] = batch.seconds

    def held_seconds(self, oldest: Waiting, now: float) -> float:
        """Return for how much longer a batch that is not full waits for others; 0 or less if it does not.

        Args:
            oldest: the sample that has waited longest of the batch.
            now: the time of the monotonic clock.
        """
        if oldest.network not in self._counts:
            return 0.0
        last = self._batch_seconds.get(oldest.network, 0.0)
        return oldest.since + min(BATCHES * last, self._longest_seconds) - now
