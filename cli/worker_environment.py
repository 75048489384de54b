"""What the libraries under a worker are told through its environment, unless the operator has told them already.

They read it when the process starts, so it is too late for the worker itself to say it. The benchmarks give the same
heap to those that they compare with.
"""

from collections.abc import Mapping

from config.cores import usable_cores
from config.settings import MEBIBYTE

# How long, in turns of a loop, threads of a worker that compute together wait for each other before they go to sleep:
# a fraction of a millisecond, enough from one operation to the next (decision 18). The default of GNU's OpenMP is 60
# times as long, which takes the cores away from the threads that decode.
_OPENMP = {"GOMP_SPINCOUNT": "5000"}

# The memory of one batch serves the next one. glibc comes to these bounds by itself, after blocks of 32 MiB were freed;
# until then it gives back what a batch of a small network took, to ask for it again, page by page, in the next. By how
# its heap happens to lie, that takes nothing or as long as the network itself (decision 22). As each heap keeps room
# for the largest image that it has had, there are no more heaps than threads that may compute at once, and one.
HEAP = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * MEBIBYTE),
    "MALLOC_TRIM_THRESHOLD_": str(64 * MEBIBYTE),
    "MALLOC_TOP_PAD_": str(64 * MEBIBYTE),
    "MALLOC_ARENA_MAX": str(usable_cores() + 1),
}

_DEFAULTS = (
    (_OPENMP, ("OMP_WAIT_POLICY",)),
    (HEAP, ("GLIBC_TUNABLES",)),
)


def with_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker; where the operator says anything of a matter, nothing is added to it."""
    added = dict[str, str]()
    for variables, others in _DEFAULTS:
        if environment.keys().isdisjoint({*variables, *others}):
            added |= variables
    return {**environment, **added}
