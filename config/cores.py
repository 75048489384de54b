"""How many cores a process may use: the command line asks as well, which loads no torch."""

import os
import sys


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
