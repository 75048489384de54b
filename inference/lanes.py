"""How many batches a device runs at once, and over how many cores the operations of each are spread.

Two cores that work on one batch wait for each other after each of its operations, and whenever one of them is taken
away for something else. Two batches on one core each do not: decision 15 has the figures. So a CPU has several lanes,
in which batches run side by side; a GPU, which has threads enough for one batch, has one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch

from inference.openmp import dismiss_helpers

MOST_LANES = 8  # each needs images in hand to fill its batches, and memory for them


@dataclass(frozen=True)
class Lanes:
    """The lanes of a device.

    Args:
        count: how many batches may run at once.
        cores: of the CPU, which the lanes share; None for a device of its own, where threads are not set.
    """

    count: int = 1
    cores: int | None = None

    @classmethod
    def of(cls, device: torch.device) -> Self:
        """Return the lanes of a device; for the CPU from the cores that torch uses."""
        if device.type != "cpu":
            return cls()
        cores = torch.get_num_threads()
        return cls(min(cores, MOST_LANES), cores)

    def threads(self, running: int, most: int | None) -> int | None:
        """Return the threads of one of so many batches: its share of the cores, but no more than it gains from."""
        if self.cores is None:
            return None
        share = max(1, self.cores // running)
        return share if most is None else min(share, most)


def use_threads(count: int | None) -> None:
    """Spread the operations that this thread calls from now on over so many threads; None leaves that as it is.

    Torch keeps the number for each thread, and takes the one that was set last in any of them for a new thread. For
    MKL's products the last one holds in all threads, so whoever cares sets it before each batch.
    """
    if count is not None:
        torch.set_num_threads(count)


@contextmanager
def spread_over(count: int | None) -> Iterator[None]:
    """Spread what is called within over so many threads, and let them go; None leaves them as they are."""
    before = torch.get_num_threads()
    use_threads(count)
    try:
        yield
    finally:
        if count is not None:
            dismiss_helpers()
            use_threads(before)
