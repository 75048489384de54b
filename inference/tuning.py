"""Finds, by timing, the precision and the batch size with which a network gives most images per second.

Called by the warm-up when a network is deployed. Timings are wall-clock minima of few runs: good to some percent, which
is why neither choice follows a difference smaller than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch

from inference.agreement import agree
from inference.errors import NetworkError
from inference.loaded_network import LoadedNetwork, Sample
from inference.network import Precision

Clock = Callable[[], float]

DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}
PRECISION_BOUND = 0.02  # of the largest value of an output tensor
WORTHWHILE_GAIN = 1.1  # a lower precision is chosen when it is this many times as fast
ENOUGH_OF_THE_BEST = 0.95  # the smallest batch that reaches this part of the best throughput is chosen
TOO_LONG_SECONDS = 1.0  # no larger batch is tried once one takes longer than this

_PRECISION_BATCH = 8
_RUNS = 3


@dataclass(frozen=True)
class ChosenPrecision:
    """A precision, and in one sentence why it was chosen."""

    precision: Precision
    reason: str


@dataclass(frozen=True)
class BatchTiming:
    """How long a batch of this many samples takes."""

    batch_size: int
    seconds: float

    @property
    def throughput(self) -> float:
        """Samples per second."""
        return self.batch_size / max(self.seconds, 1e-9)


def choose_precision(network: LoadedNetwork, pair: Sequence[Sample], clock: Clock = perf_counter) -> ChosenPrecision:
    """Return the fastest precision whose outputs for two samples agree with those of float32.

    Args:
        network: the network in float32.
        pair: two samples of equal shapes.
        clock: tells the seconds.
    """
    if network.takes_image_list:
        return ChosenPrecision(
            Precision.FLOAT32, "Detectors that sort and cut what they find are not compared across precisions."
        )
    references = network.run(pair)
    batch = [pair[index % 2] for index in range(_PRECISION_BATCH if network.description.batched_output else 2)]
    slowest = _seconds_or_none(network, batch, clock)
    if slowest is None:
        return ChosenPrecision(Precision.FLOAT32, "The network could not be timed on a batch.")
    refused, timed = [], {}
    for precision in (Precision.BFLOAT16, Precision.FLOAT16):
        narrowed = network.at(DTYPES[precision])
        if not _agrees(narrowed, pair, references):
            refused.append(f"{precision} differs from float32 by more than {PRECISION_BOUND:.0%}")
        elif (seconds := _seconds_or_none(narrowed, batch, clock)) is not None:
            timed[precision] = slowest / max(seconds, 1e-9)
    fastest = max(timed, key=lambda precision: timed[precision], default=None)
    if fastest is not None and timed[fastest] >= WORTHWHILE_GAIN:
        return ChosenPrecision(
            fastest,
            f"It is {timed[fastest]:.1f} times as fast as float32 and agrees with it within {PRECISION_BOUND:.0%}.",
        )
    facts = refused + [f"{precision} is {gain:.2f} times as fast" for precision, gain in timed.items()]
    return ChosenPrecision(Precision.FLOAT32, "Nothing faster agrees with it: " + "; ".join(facts) + ".")


def time_batches(
    network: LoadedNetwork, pair: Sequence[Sample], maximum: int, clock: Clock = perf_counter
) -> list[BatchTiming]:
    """Time batches of 1, 2, 4 … samples up to ``maximum``, as far as memory, gain and patience reach.

    Empty when the network does not even stand one sample.
    """
    timings: list[BatchTiming] = []
    for size in _sizes_up_to(maximum):
        seconds = _seconds_or_none(network, [pair[index % 2] for index in range(size)], clock)
        if seconds is None:
            break
        timings.append(BatchTiming(size, seconds))
        if seconds > TOO_LONG_SECONDS or _has_levelled_off(timings):
            break
    return timings


def _sizes_up_to(maximum: int) -> list[int]:
    powers = [2**exponent for exponent in range(maximum.bit_length())]
    return powers if powers[-1] == maximum else [*powers, maximum]


def _has_levelled_off(timings: Sequence[BatchTiming]) -> bool:
    """Tell whether the last two doublings brought nothing."""
    if len(timings) < 3:
        return False
    *before, last_but_one, last = (timing.throughput for timing in timings)
    return ENOUGH_OF_THE_BEST * max(last_but_one, last) < max(before)


def time_largest_batch(
    network: LoadedNetwork, pair: Sequence[Sample], wished: int, clock: Clock = perf_counter
) -> list[BatchTiming]:
    """Time one batch of the ``wished`` size or, where memory does not reach, of its half and so on."""
    while wished:
        seconds = _seconds_or_none(network, [pair[index % 2] for index in range(wished)], clock)
        if seconds is not None:
            return [BatchTiming(wished, seconds)]
        wished //= 2
    return []


def best_batch_size(timings: Sequence[BatchTiming]) -> int:
    """Return the smallest batch size whose throughput is nearly the best: a larger one only costs latency."""
    best = max(timing.throughput for timing in timings)
    return next(timing.batch_size for timing in timings if timing.throughput >= ENOUGH_OF_THE_BEST * best)


def _agrees(network: LoadedNetwork, pair: Sequence[Sample], references: Sequence[dict[str, torch.Tensor]]) -> bool:
    try:
        return agree(network.run(pair), references, PRECISION_BOUND)
    except (NetworkError, torch.OutOfMemoryError):
        return False


def _seconds_or_none(network: LoadedNetwork, samples: Sequence[Sample], clock: Clock) -> float | None:
    """Return the least seconds of some runs after a first one; None when the network does not stand such a batch.

    A run ends when its results are on the CPU, so a device has finished when the clock is read.
    """
    try:
        network.run(samples)
        laps = []
        for _ in range(_RUNS):
            start = clock()
            network.run(samples)
            laps.append(clock() - start)
    except (NetworkError, torch.OutOfMemoryError):
        return None
    return min(laps)
