"""Who has computed on several cores lets its helpers go: those of one thread slow the teams of all others."""

import threading
import time
from collections.abc import Callable, Sequence

import psutil
import pytest
import torch

from inference import openmp
from inference.batch_plan import BatchPlan
from inference.batcher import Batcher
from inference.lanes import Lanes, spread_over
from inference.loaded_network import LoadedNetwork
from inference.openmp import dismiss_helpers
from inference.waiting import Sample, Tensors
from inference.warm_up import warm_up
from tests.unit.inference.seeded_networks import CPU, description

LARGE = 1_000_000  # elements, which torch spreads over all cores that it may use


def threads() -> set[int]:
    """The IDs of this process' threads, helpers among them; those of other tests may end at any time."""
    return {thread.id for thread in psutil.Process().threads()}


def compute() -> set[int]:
    """Compute something large, and return the threads that there are then."""
    torch.zeros(LARGE).add_(1)
    return threads()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait a little: a helper that has ended is there for another moment."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_a_thread(call: Callable[[], None]) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def test_helpers_stay_until_they_are_dismissed() -> None:
    def lead() -> None:
        before = threads()
        torch.set_num_threads(3)
        for _ in range(2):
            helpers = compute() - before
            assert len(helpers) == 2
            assert compute() - before == helpers
            dismiss_helpers()
            dismiss_helpers()
            wait_until(lambda: threads() <= before)
        torch.set_num_threads(1)

    in_a_thread(lead)


def test_what_is_spread_over_cores_leaves_no_helpers() -> None:
    def lead() -> None:
        before = threads()
        with spread_over(3):
            helpers = compute() - before
        assert len(helpers) == 2
        wait_until(lambda: not helpers & threads())

    in_a_thread(lead)


def test_runtime_without_that_call_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "RUNTIMES", ("libnothing.so.1", "libc.so.6"))
    openmp._pause.cache_clear()
    try:
        dismiss_helpers()
    finally:
        openmp._pause.cache_clear()


class Wide:
    """A network that is worth several cores, and remembers the threads of the process while it ran."""

    def __init__(self) -> None:
        self.threads: list[set[int]] = []

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        self.threads.append(compute())
        return [{"output": sample[0]} for sample in samples]


def test_an_idle_lane_has_no_helpers() -> None:
    number = torch.get_num_threads()
    batcher = Batcher(4, lanes=Lanes(count=2, cores=2))
    network, idle = Wide(), threads()
    for _ in range(6):  # by whichever lane
        batcher.submit(network, (torch.zeros(1),), BatchPlan(side_by_side=True)).result(10)
        # A lane that still counts as running would leave the next batch one core only.
        wait_until(lambda: threads() <= idle and not batcher.busy_seconds())
    assert [len(running - idle) for running in network.threads] == [1] * 6
    batcher.close()
    torch.set_num_threads(number)


def test_a_deployment_leaves_no_helpers() -> None:
    network = LoadedNetwork(torch.nn.Conv2d(3, 64, 3), description(precision="auto"), CPU, weight_bytes=0)

    def deploy() -> None:
        before = threads()
        warm_up(network, 4, Lanes(count=2, cores=2))
        wait_until(lambda: threads() <= before)

    in_a_thread(deploy)
