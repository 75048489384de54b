"""A process may use as many cores as it is allowed to run on, which may be fewer than the machine has."""

import os
import sys

import pytest

from config.cores import usable_cores


def test_there_is_a_core_to_run_on() -> None:
    assert usable_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells where a process may run")
def test_cores_of_others_do_not_count() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
