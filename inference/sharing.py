"""Finds, by timing, how batches of a network share the cores of a CPU: side by side, or one batch on all of them.

Called by the warm-up when a network is deployed. Only what keeps nothing from one run for the next is tried side by
side, and it is not chosen if it changes the results.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import inf

import torch

from inference.errors import NetworkError
from inference.evidence.comparison import agree
from inference.frozen_graph import keeps_nothing
from inference.lanes import Lanes, spread_over, use_threads
from inference.loaded_network import LoadedNetwork, Outputs, Sample
from inference.race import Clock, race
from inference.tuning import ORDER_BOUND, PRECISION_BOUND, WORTHWHILE_GAIN

# Side by side is chosen unless it is slower than this part of the speed: what it gains where other threads take cores
# away does not show while a network has the machine to itself.
LEAST_GAIN = 0.95

_BATCH = 8


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
    try:
        expected = network.run(batch)
    except (NetworkError, torch.OutOfMemoryError):
        return ONE_AT_A_TIME
    one_by_one, at_once = _seconds_for_all_lanes(network, batch, expected, lanes, clock)
    if not at_once * LEAST_GAIN <= one_by_one < inf:
        return ONE_AT_A_TIME
    return Sharing(side_by_side=True, threads=_threads_for_one(network, pair[:1], lanes.cores, clock))


def _seconds_for_all_lanes(
    network: LoadedNetwork, batch: Sequence[Sample], expected: Sequence[Outputs], lanes: Lanes, clock: Clock
) -> list[float]:
    """Return the seconds of a batch for each lane: one by one on all cores, and side by side.

    The latter are infinite if that fails or gives other results.
    """
    bound = ORDER_BOUND if network.precision is torch.float32 else PRECISION_BOUND
    threads = lanes.threads(lanes.count, None)

    def in_a_lane(_: int) -> list[Outputs]:
        use_threads(threads)
        return network.run(batch)

    def one_by_one() -> None:
        with spread_over(lanes.cores):
            for _ in range(lanes.count):
                network.run(batch)

    def at_once() -> None:
        if not all(agree(results, expected, bound) for results in pool.map(in_a_lane, range(lanes.count))):
            raise NetworkError("The network gives other results when batches run side by side.")

    with ThreadPoolExecutor(lanes.count) as pool:
        return race([one_by_one, at_once], clock)


def _threads_for_one(network: LoadedNetwork, one: Sequence[Sample], cores: int, clock: Clock) -> int:
    """Return the fewest threads with which one sample takes hardly longer than with the best number of them."""
    counts: list[int] = sorted({*(2**exponent for exponent in range(cores.bit_length())), cores})

    def run_on(count: int) -> None:
        with spread_over(count):
            network.run(one)

    seconds = race([partial(run_on, count) for count in counts], clock)
    enough = WORTHWHILE_GAIN * min(seconds)
    return next(count for count, taken in zip(counts, seconds, strict=True) if taken <= enough)
