"""Finds, by timing, how batches of a network share the cores of a CPU: side by side, or one batch on all of them.

Called by the warm-up when a network is deployed. Only what keeps nothing from one run for the next is tried side by
side, and it is not chosen if it changes the results.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf

import torch

from inference.agreement import agree
from inference.errors import NetworkError
from inference.frozen_graph import keeps_nothing
from inference.lanes import Lanes, spread_over, use_threads
from inference.loaded_network import LoadedNetwork, Sample
from inference.tuning import ORDER_BOUND, PRECISION_BOUND, WORTHWHILE_GAIN, Clock, seconds_or_none

# Side by side is chosen unless it is slower than this part of the speed: what it gains where other threads take cores
# away does not show while a network has the machine to itself.
LEAST_GAIN = 0.95

_BATCH = 8
_RUNS = 3
_TURNS = 3


@dataclass(frozen=True)
class Sharing:
    """How to run a network: batches side by side or not, and the most threads that one sample gains from."""

    side_by_side: bool = False
    threads: int | None = None

    def threads_when_busy(self, lanes: Lanes) -> int | None:
        """Return the threads of each batch while all lanes have one."""
        return lanes.threads(lanes.count, self.threads) if self.side_by_side else lanes.cores


ONE_AT_A_TIME = Sharing()


def choose_sharing(network: LoadedNetwork, pair: Sequence[Sample], lanes: Lanes, clock: Clock) -> Sharing:
    """Return how batches of a network share a device.

    Args:
        network: in the way that it is to be run.
        pair: two samples of equal shapes.
        lanes: those of the device.
        clock: tells the seconds.
    """
    if lanes.cores is None or lanes.count == 1 or not network.is_frozen or not keeps_nothing(network.module):
        return ONE_AT_A_TIME
    size = _BATCH if network.description.batched_output else len(pair)
    batch = [pair[index % 2] for index in range(size)]
    with spread_over(lanes.cores):
        one_by_one = seconds_or_none(network, batch, clock)
    at_once = _seconds_side_by_side(network, batch, lanes, clock)
    if one_by_one is None or at_once is None or at_once / lanes.count * LEAST_GAIN > one_by_one:
        return ONE_AT_A_TIME
    return Sharing(side_by_side=True, threads=_threads_for_one(network, pair[:1], lanes.cores, clock))


def _seconds_side_by_side(network: LoadedNetwork, batch: Sequence[Sample], lanes: Lanes, clock: Clock) -> float | None:
    """Return the seconds in which each lane runs the batch once; None if that fails, or gives other results."""
    bound = ORDER_BOUND if network.precision is torch.float32 else PRECISION_BOUND
    threads = lanes.threads(lanes.count, None)
    try:
        expected = network.run(batch)
        with ThreadPoolExecutor(lanes.count, initializer=use_threads, initargs=(threads,)) as pool:
            firsts = pool.map(lambda _: network.run(batch), range(lanes.count))
            if not all(agree(results, expected, bound) for results in firsts):
                return None
            start = clock()
            for results in pool.map(lambda _: network.run(batch), range(lanes.count * _RUNS)):
                if not agree(results, expected, bound):
                    return None
            return (clock() - start) / _RUNS
    except (NetworkError, torch.OutOfMemoryError):
        return None


def _threads_for_one(network: LoadedNetwork, one: Sequence[Sample], cores: int, clock: Clock) -> int:
    """Return the fewest threads with which one sample takes hardly longer than with the best number of them.

    They take turns, since several threads are slowed by whatever else the machine does for a while.
    """
    counts: list[int] = sorted({*(2**exponent for exponent in range(cores.bit_length())), cores})
    seconds: dict[int, float] = dict.fromkeys(counts, inf)
    for _ in range(_TURNS):
        for count in counts:
            with spread_over(count):
                taken = seconds_or_none(network, one, clock)
            seconds[count] = min(seconds[count], inf if taken is None else taken)
    enough = WORTHWHILE_GAIN * min(seconds.values())
    return next(count for count in counts if seconds[count] <= enough)
