"""Times several ways of doing the same, in turns: what slows the machine for a while then slows all of them.

One after the other, the way that was timed while something else ran would lose to a slower one.
"""

from collections.abc import Callable, Sequence
from math import inf
from time import perf_counter, thread_time

import torch

from inference.errors import NetworkError

Clock = Callable[[], float]
Way = Callable[[], object]

LEAST_TURNS = 3
MOST_TURNS = 10
ENOUGH_SECONDS = 1.0  # when the ways have taken so long in all, the turn is the last one
FAR_BEHIND = 3.0  # times the seconds of the fastest way: where runs take so long, no chance makes that good


def clock_for(threads: int | None) -> Clock:
    """Return the clock for ways that run on so many threads of the CPU; None if they run on a device of its own.

    What runs in the caller's thread alone is timed by the time that a core spent on it, whatever else the machine does
    meanwhile. Where several threads, or the CPU and a device, wait for each other, only the clock on the wall tells.
    """
    return thread_time if threads == 1 else perf_counter


def race(ways: Sequence[Way], clock: Clock) -> list[float]:
    """Return the least seconds of each way, after a first run of each that does not count.

    A way that raises NetworkError or torch.OutOfMemoryError leaves the race, and infinity is returned for it. One that
    is ``FAR_BEHIND`` when the ways have taken ``ENOUGH_SECONDS`` leaves it with the seconds that it has. A run ends
    when its results are on the CPU, so a device has finished when the clock is read.
    """
    running = {number for number, way in enumerate(ways) if _stands(way)}
    least = [inf] * len(ways)
    passed = 0.0
    for turn in range(MOST_TURNS):
        if passed > ENOUGH_SECONDS:
            if turn >= LEAST_TURNS:
                break
            running -= {number for number in running if least[number] > FAR_BEHIND * min(least)}
        for number in sorted(running):
            start = clock()
            if not _stands(ways[number]):
                running.discard(number)
                least[number] = inf
                continue
            seconds = clock() - start
            least[number] = min(least[number], seconds)
            passed += seconds
    return least


def _stands(way: Way) -> bool:
    try:
        way()
    except (NetworkError, torch.OutOfMemoryError):
        return False
    return True
