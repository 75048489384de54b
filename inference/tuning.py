"""Finds, by timing, how a network gives most images per second: order of weights, graph, precision, and batch size.

Called by the warm-up when a network is deployed. Timings are wall-clock minima of few runs: good to some percent, which
is why no choice follows a difference smaller than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter

import torch
from torch import nn

from inference.agreement import agree
from inference.errors import NetworkError
from inference.execution import Execution, has_convolutions, prepared_copy
from inference.loaded_network import LoadedNetwork, Sample
from inference.network import Precision

Clock = Callable[[], float]

PRECISION_BOUND = 0.02  # of the largest value of an output tensor
ORDER_BOUND = 5e-6  # likewise: what is asked for in float32 is exact up to rounding
WORTHWHILE_GAIN = 1.1  # a lower precision or another order is chosen when it is this many times as fast
# A frozen graph is chosen unless it is slower than this part of the speed: what it spares the other threads of a busy
# worker does not show while a network runs alone.
GRAPH_LEAST_GAIN = 0.95
ENOUGH_OF_THE_BEST = 0.95  # the smallest batch that reaches this part of the best throughput is chosen
ALWAYS_TRIED = 8  # on a busy device, few and small batches would be misjudged
TOO_LONG_SECONDS = 1.0  # beyond that, no larger batch is tried once one takes longer than this

_ASKED = "The network's preprocessing says so."
_BATCH = 8
_RUNS = 3


@dataclass(frozen=True)
class Chosen:
    """A way of running a network, the network in that way, and in one sentence why its precision was chosen."""

    execution: Execution
    network: LoadedNetwork
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


def choose_execution(network: LoadedNetwork, samples: Sequence[Sample], clock: Clock = perf_counter) -> Chosen:
    """Return the fastest way of running a network in the precision that its description asks for.

    With ``auto``, that is the fastest precision whose outputs for the samples agree with those of float32 within
    ``PRECISION_BOUND``.

    Args:
        network: the network as it was loaded.
        samples: two of equal shapes, and further ones.
        clock: tells the seconds.
    """
    asked = network.description.precision
    plain = Execution(Precision.FLOAT32 if asked is Precision.AUTO else asked)
    if network.takes_image_list:
        # They sort and cut what they find, where rounding shows, so results cannot be compared.
        reason = _ASKED if asked is not Precision.AUTO else "Detectors of image lists keep float32."
        return Chosen(plain, prepared_copy(network, plain), reason)
    if asked is not Precision.AUTO and not isinstance(network.module, nn.Module):
        return Chosen(plain, prepared_copy(network, plain), _ASKED)
    contest = _Contest(network, samples, clock)
    best = contest.of_graphs(contest.of_orders(plain))
    return contest.of_precisions(best) if asked is Precision.AUTO else Chosen(best.execution, best.network, _ASKED)


@dataclass(frozen=True)
class _Entry:
    """A way of running a network that was tried; ``seconds`` is infinite where it failed or changed the results."""

    execution: Execution
    network: LoadedNetwork
    seconds: float


class _Contest:
    """Runs the same samples through a network in several ways."""

    def __init__(self, network: LoadedNetwork, samples: Sequence[Sample], clock: Clock) -> None:
        self._loaded = network
        self._proofs = [samples[:2], *([sample] for sample in samples)]  # a graph may know one batch size only
        self._batch = [samples[index % 2] for index in range(_BATCH if network.description.batched_output else 2)]
        self._clock = clock

    def of_orders(self, plain: Execution) -> _Entry:
        """Return the faster order of the weights."""
        first = self.timed(plain)
        if not has_convolutions(self._loaded):
            return first
        other = self.timed(replace(plain, channels_last=True), first.network)
        return other if other.seconds * WORTHWHILE_GAIN <= first.seconds < inf else first

    def of_graphs(self, modules: _Entry) -> _Entry:
        """Return the network as a frozen graph, if it can be one and is not slower for it."""
        if modules.seconds == inf:
            return modules
        graph = self.timed(replace(modules.execution, frozen=True), modules.network)
        return graph if graph.network.is_frozen and graph.seconds * GRAPH_LEAST_GAIN <= modules.seconds else modules

    def timed(self, execution: Execution, reference: LoadedNetwork | None = None) -> _Entry:
        """Time one way; with a reference, only if it agrees with that."""
        try:
            network = prepared_copy(self._loaded, execution)
        except torch.OutOfMemoryError:
            return _Entry(execution, self._loaded, inf)
        execution = replace(execution, frozen=network.is_frozen)
        bound = ORDER_BOUND if execution.precision is Precision.FLOAT32 else PRECISION_BOUND
        if reference is not None and not all(_agree(network, reference, proof, bound) for proof in self._proofs):
            return _Entry(execution, network, inf)
        seconds = seconds_or_none(network, self._batch, self._clock)
        return _Entry(execution, network, inf if seconds is None else seconds)

    def _in_precision(self, precision: Precision, exact: _Entry) -> _Entry:
        """Time a lower precision as the exact one runs, and as modules if the graph does not stand it."""
        lower = replace(exact.execution, precision=precision)
        entry = self.timed(lower, exact.network)
        if entry.seconds == inf and lower.frozen:
            return self.timed(replace(lower, frozen=False), exact.network)
        return entry

    def of_precisions(self, exact: _Entry) -> Chosen:
        """Return the fastest of the lower precisions, or what was found for float32."""
        if exact.seconds == inf:
            return Chosen(exact.execution, exact.network, "The network could not be timed on a batch.")
        facts = {}
        best = exact
        for precision in (Precision.BFLOAT16, Precision.FLOAT16):
            entry = self._in_precision(precision, exact)
            gain = exact.seconds / max(entry.seconds, 1e-9)
            facts[precision] = f"{precision} is {gain:.2f} times as fast"
            if entry.seconds == inf:
                facts[precision] = f"{precision} fails, or differs from float32 by more than {PRECISION_BOUND:.0%}"
            elif gain >= WORTHWHILE_GAIN and entry.seconds < best.seconds:
                best = entry
        if best is exact:
            return Chosen(
                exact.execution, exact.network, f"Nothing faster agrees with it: {'; '.join(facts.values())}."
            )
        return Chosen(
            best.execution,
            best.network,
            f"It is {exact.seconds / max(best.seconds, 1e-9):.1f} times as fast as float32 and agrees with it within "
            f"{PRECISION_BOUND:.0%}.",
        )


def time_batches(
    network: LoadedNetwork, pair: Sequence[Sample], maximum: int, clock: Clock = perf_counter
) -> list[BatchTiming]:
    """Time batches of 1, 2, 4 … samples up to ``maximum``, as far as memory, gain and patience reach.

    Empty when the network does not even stand one sample.
    """
    timings: list[BatchTiming] = []
    for size in _sizes_up_to(maximum):
        seconds = seconds_or_none(network, [pair[index % 2] for index in range(size)], clock)
        if seconds is None:
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
        seconds = seconds_or_none(network, [pair[index % 2] for index in range(wished)], clock)
        if seconds is not None:
            return [BatchTiming(wished, seconds)]
        wished //= 2
    return []


def best_batch_size(timings: Sequence[BatchTiming]) -> int:
    """Return the smallest batch size whose throughput is nearly the best: a larger one only costs latency."""
    best = max(timing.throughput for timing in timings)
    return next(timing.batch_size for timing in timings if timing.throughput >= ENOUGH_OF_THE_BEST * best)


def _agree(network: LoadedNetwork, reference: LoadedNetwork, samples: Sequence[Sample], bound: float) -> bool:
    try:
        return agree(network.run(samples), reference.run(samples), bound)
    except (NetworkError, torch.OutOfMemoryError):
        return False


def seconds_or_none(network: LoadedNetwork, samples: Sequence[Sample], clock: Clock) -> float | None:
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
