"""Has the first real batches of each network run again, image by image, and compares: what no synthetic image showed.

The batcher hands over each batch that has run. Most come back at once: a network is checked a few times, and for no
more than a small share of the time that its batches take. Nothing is locked while samples run alone.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from weakref import WeakKeyDictionary

import torch

from inference.errors import NetworkError
from inference.evidence.telling import batch_bound, what_is_missing, worst
from inference.waiting import Runnable, Sample, Tensors

ENOUGH_PROOFS = 4  # batches whose images were told apart, and got what they get alone
FIRST_CHECKS = 3  # are made whatever they take, as long as nothing is proven
MOST_CHECKS = 32
SHARE_OF_TIME = 0.05  # of what the network's batches have taken


class CheckOutcome(StrEnum):
    """What running the samples of a batch alone has shown."""

    SAME = "same"
    DIFFERENT = "different"
    ALIKE = "alike"  # all samples have the same answer, which proves nothing
    FAILED = "failed"  # a sample did not run alone


@dataclass(frozen=True)
class BatchCheck:
    """A batch whose samples were run alone as well; ``reason`` is a sentence if they gave something else."""

    network: Runnable
    size: int
    seconds: float
    outcome: CheckOutcome
    reason: str | None = None


@dataclass
class _Progress:
    """How far the checks of a network are."""

    checks: int = 0
    proofs: int = 0
    largest: int = 1  # batch that is proven
    batch_seconds: float = 0.0
    check_seconds: float = 0.0
    runs_alone: bool = False

    def is_due(self, size: int) -> bool:
        """Tell whether a batch of this size is to be checked, after it ran."""
        if self.runs_alone:  # it began before a difference was seen
            return True
        if self.checks >= MOST_CHECKS or (self.proofs >= ENOUGH_PROOFS and size <= self.largest):
            return False
        if not self.proofs and self.checks < FIRST_CHECKS:
            return True
        return self.check_seconds <= SHARE_OF_TIME * self.batch_seconds


class ServiceCheck:
    """Checks the batches of all networks of a process; safe to share between threads.

    ``on_check`` is called with each check, in the thread of the batch.
    """

    def __init__(self, on_check: Callable[[BatchCheck], None]) -> None:
        self._on_check = on_check
        self._progress: WeakKeyDictionary[Runnable, _Progress] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def runs_alone(self, network: Runnable) -> bool:
        """Tell whether a batch of this network was seen to give something else than its samples alone."""
        progress = self._progress.get(network)
        return progress is not None and progress.runs_alone

    def checked(
        self, network: Runnable, samples: Sequence[Sample], results: Sequence[Tensors], seconds: float
    ) -> Sequence[Tensors]:
        """Return the results of a batch that has run; those of its samples alone if these are others.

        Raises:
            DeviceLostError: when the device failed in a way that only a new process gets over.
        """
        if len(samples) < 2 or not self._begins(network, len(samples), seconds):
            return results
        started = perf_counter()
        try:
            alone = [network.run([sample])[0] for sample in samples]
        except (NetworkError, torch.OutOfMemoryError):
            self._end(BatchCheck(network, len(samples), perf_counter() - started, CheckOutcome.FAILED))
            return results
        name = worst(results, alone, batch_bound(network.precision), {})
        outcome, reason = CheckOutcome.SAME, None
        if name is not None:
            outcome = CheckOutcome.DIFFERENT
            reason = f"In service, a batch of {len(samples)} gave another {name!r} for an image than the image alone."
        elif what_is_missing(alone) is not None:
            outcome = CheckOutcome.ALIKE
        self._end(BatchCheck(network, len(samples), perf_counter() - started, outcome, reason))
        return results if reason is None else alone

    def _begins(self, network: Runnable, size: int, seconds: float) -> bool:
        with self._lock:
            progress = self._progress.setdefault(network, _Progress())
            progress.batch_seconds += seconds
            is_due = progress.is_due(size)
            progress.checks += is_due
            return is_due

    def _end(self, check: BatchCheck) -> None:
        with self._lock:
            progress = self._progress[check.network]
            progress.check_seconds += check.seconds
            was_known = progress.runs_alone
            if check.outcome is CheckOutcome.SAME:
                progress.proofs += 1
                progress.largest = max(progress.largest, check.size)
            elif check.outcome is CheckOutcome.DIFFERENT:
                progress.runs_alone = True
        if not was_known:
            self._on_check(check)
