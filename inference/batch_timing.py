"""Finds, by timing, how many samples of a network make a batch. Called by the warm-up when a network is deployed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter

from inference.loaded_network import LoadedNetwork, Sample
from inference.race import Clock, race

ENOUGH_OF_THE_BEST = 0.95  # the smallest batch that reaches this part of the best throughput is chosen
ALWAYS_TRIED = 8  # on a busy device, few and small batches would be misjudged
TOO_LONG_SECONDS = 1.0  # beyond that, no larger batch is tried once one takes longer than this
# What a worker does for a batch, whatever its size, is not timed: it wakes threads and speaks to the ledger. ResNet-50
# on two cores gave 6 % more images over HTTP in batches of 8 than of 4, which are as good when nothing else runs.
SPARING_SIZE = 8
SPARING_SECONDS = 0.5  # longer ones would keep other networks waiting for what little they spare


@dataclass(frozen=True)
class BatchTiming:
    """How long a batch of this many samples takes."""

    batch_size: int
    seconds: float

    @property
    def throughput(self) -> float:
        """Samples per second."""
        return self.batch_size / max(self.seconds, 1e-9)


def time_batches(
    network: LoadedNetwork, pair: Sequence[Sample], maximum: int, clock: Clock = perf_counter
) -> list[BatchTiming]:
    """Time batches of 1, 2, 4 … samples up to ``maximum``, as far as memory, gain and patience reach.

    Empty when the network does not even stand one sample.
    """
    timings: list[BatchTiming] = []
    for size in _sizes_up_to(maximum):
        seconds = _batch_seconds(network, pair, size, clock)
        if seconds == inf:
            break
        timings.append(BatchTiming(size, seconds))
        if size >= ALWAYS_TRIED and (seconds > TOO_LONG_SECONDS or _has_levelled_off(timings)):
            break
    return timings


def _sizes_up_to(maximum: int) -> list[int]:
    powers = [2**exponent for exponent in range(maximum.bit_length())]
    return powers if powers[-1] == maximum else [*powers, maximum]


def _has_levelled_off(timings: Sequence[BatchTiming]) -> bool:
    """Tell whether the last two doublings brought nothing."""
    *before, last_but_one, last = (timing.throughput for timing in timings)
    return ENOUGH_OF_THE_BEST * max(last_but_one, last) < max(before)


def time_largest_batch(
    network: LoadedNetwork, pair: Sequence[Sample], wished: int, clock: Clock = perf_counter
) -> list[BatchTiming]:
    """Time one batch of the ``wished`` size or, where memory does not reach, of its half and so on."""
    while wished:
        seconds = _batch_seconds(network, pair, wished, clock)
        if seconds < inf:
            return [BatchTiming(wished, seconds)]
        wished //= 2
    return []


def best_batch_size(timings: Sequence[BatchTiming]) -> int:
    """Return the smallest batch size whose throughput is nearly the best: a larger one only costs latency.

    But one that is as good, has at most ``SPARING_SIZE`` samples and does not take long is better than a smaller one.
    """
    best = max(timing.throughput for timing in timings)
    good = [timing for timing in timings if timing.throughput >= ENOUGH_OF_THE_BEST * best]
    sparing = [timing for timing in good if timing.batch_size <= SPARING_SIZE and timing.seconds <= SPARING_SECONDS]
    return (sparing or good[:1])[-1].batch_size


def _batch_seconds(network: LoadedNetwork, pair: Sequence[Sample], size: int, clock: Clock) -> float:
    """Return what a batch takes; infinity when the network does not stand it."""
    [seconds] = race([partial(network.run, [pair[index % 2] for index in range(size)])], clock)
    return seconds
