"""What torch does not pass on of OpenMP, by which it spreads operations over the cores of a CPU.

A thread that computes on several cores leads a team of helpers, and these stay when it has nothing to do. GNU's OpenMP
counts them: as soon as a process has more of them than there are cores, everyone who waits for another member of a team
goes to sleep at once, and that is after each operation of a network, a few hundred times in a batch. On two cores, one
idle team of another thread takes a lone image from 69 ms to 91 with ResNet-50, and from 6 to 14 with MobileNetV3-small
(decision 18). So whoever has led a team lets it go.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache

RUNTIMES = ("libgomp.so.1", "libomp.so", "libiomp5.so", "libomp.dylib")
KEEP_SETTINGS = 1  # omp_pause_soft


def dismiss_helpers() -> None:
    """End the helpers of this thread's team, if it has any; the next operation that wants some makes new ones.

    That takes a tenth of a millisecond in all, and next to nothing without a team. Nothing happens where torch uses a
    runtime that does not know how (OpenMP 5.0, section 3.2.44).
    """
    _pause()(KEEP_SETTINGS)


@cache
def _pause() -> Callable[[int], object]:
    for name in RUNTIMES:
        with suppress(OSError, AttributeError):
            # Only one that is loaded, by torch: another would know nothing of its teams.
            pause: Callable[[int], object] = ctypes.CDLL(name, os.RTLD_NOLOAD).omp_pause_resource_all
            return pause
    return lambda _: None
