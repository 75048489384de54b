"""A process that hangs, or is half dead, ends: each test has one of its own."""

import subprocess
import sys
import textwrap
import threading

import pytest
import torch

from inference.batcher import Batcher
from inference.device_decoding import DeviceDecoder
from inference.lanes import Lanes
from workers.watchdog import EXIT_SOFTWARE, VITAL_THREADS

SECONDS = 60
PRELUDE = "import threading, time\nfrom workers.watchdog import *\n"


def run(program: str) -> tuple[int, str]:
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(program)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("name", sorted(VITAL_THREADS))
def test_process_ends_with_a_thread_that_it_cannot_do_without(name: str) -> None:
    program = f"""
    end_with_vital_threads()
    threading.Thread(target=lambda: 1 / 0, name={name!r}, daemon=True).start()
    time.sleep({SECONDS})
    """
    status, log = run(program)
    assert status == EXIT_SOFTWARE
    assert "ZeroDivisionError" in log
    assert f"The thread {name} has failed. The worker ends itself." in log


def test_threads_that_feed_the_device_are_among_them() -> None:
    others = set(threading.enumerate())
    batcher, decoder = Batcher(1, lanes=Lanes(2, 2)), DeviceDecoder(torch.device("cpu"))
    names = sorted(thread.name for thread in set(threading.enumerate()) - others)
    decoder.close()
    batcher.close()
    assert names == ["batcher-0", "batcher-1", "device-decoder"]
    assert all(name.startswith(VITAL_THREADS) for name in names)


def test_process_outlives_any_other_thread() -> None:
    program = """
    end_with_vital_threads()
    thread = threading.Thread(target=lambda: 1 / 0, name="look-up")
    thread.start()
    thread.join()
    """
    assert run(program)[0] == 0


def test_process_ends_when_something_runs_for_too_long() -> None:
    program = f"""
    began = time.monotonic()
    limits = [Limit("A batch", lambda: 0.0, 0.1), Limit("A task", lambda: time.monotonic() - began, 0.1)]
    watch(limits)
    time.sleep({SECONDS})
    """
    status, log = run(program)
    assert status == EXIT_SOFTWARE
    assert "A task has been running for 0 s. The worker ends itself." in log
    assert "A batch" not in log


def test_block_that_takes_too_long_ends_the_process() -> None:
    program = f"""
    with ended_after(60, "The first"):
        pass
    with ended_after(0.1, "The second"):
        time.sleep({SECONDS})
    """
    status, log = run(program)
    assert status == EXIT_SOFTWARE
    assert "The second took longer than 0 s." in log
