"""The first batches of each network in service are run alone as well, and what differs is not believed again."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor

from inference.batcher import Batcher
from inference.errors import NetworkError
from inference.evidence.service import ENOUGH_PROOFS, FIRST_CHECKS, MOST_CHECKS, BatchCheck, CheckOutcome, ServiceCheck
from inference.lanes import Lanes
from inference.waiting import Sample, Tensors
from tests.unit.inference.doubler import sample

Change = Callable[[Tensor], Tensor]


class Network:
    """Gives each sample twice its values, and for batches what ``change`` makes of that."""

    precision = torch.float32

    def __init__(self, change: Change = lambda y: y, *, fails_alone: bool = False) -> None:
        self.sizes: list[int] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.started = threading.Event()
        self._change = change
        self._fails_alone = fails_alone

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        self.started.set()
        assert self.may_run.wait(10)
        self.sizes.append(len(samples))
        if len(samples) == 1 and self._fails_alone and len(self.sizes) > 1:
            raise NetworkError("One is too few.")
        results = 2 * torch.stack([inputs[0] for inputs in samples])
        return [{"output": row} for row in (self._change(results) if len(samples) > 1 else results)]


@pytest.fixture
def checks() -> list[BatchCheck]:
    return []


@pytest.fixture
def batcher(checks: list[BatchCheck]) -> Iterator[Batcher]:
    batcher = Batcher(max_batch_size=4, check=ServiceCheck(checks.append))
    yield batcher
    batcher.close()


def answers(batcher: Batcher, network: Network, values: Sequence[float]) -> list[float]:
    """Submit one sample, and while it runs the others, which make a batch of at most four."""
    network.may_run.clear()
    network.started.clear()
    first = batcher.submit(network, sample(0.0))
    assert network.started.wait(10)
    others = [batcher.submit(network, sample(float(value))) for value in values]
    network.may_run.set()
    first.result(10)
    return [float(other.result(10)["output"]) for other in others]


def test_a_batch_that_gives_what_its_samples_give_alone_is_believed_after_a_few(
    batcher: Batcher, checks: list[BatchCheck]
) -> None:
    network = Network()
    for _ in range(40):
        assert answers(batcher, network, [1, 2, 3]) == [2, 4, 6]
    assert {check.outcome for check in checks} == {CheckOutcome.SAME}
    assert 1 <= len(checks) <= ENOUGH_PROOFS
    assert network.sizes[-2:] == [1, 3]  # the last batch was run once


@pytest.mark.parametrize(
    "change",
    [
        lambda y: torch.cat([y[:1], torch.zeros_like(y[1:])]),
        lambda y: y.flip(0),
        lambda y: y - 0.1 * y.mean(0),
        lambda y: y.where(y < y.max(), torch.nan),
    ],
)
def test_tasks_of_a_batch_that_differs_get_what_their_samples_give_alone(
    change: Change, batcher: Batcher, checks: list[BatchCheck]
) -> None:
    network = Network(change)
    assert answers(batcher, network, [1, 2, 3]) == [2, 4, 6]
    [check] = checks
    assert (check.outcome, check.size, check.network) == (CheckOutcome.DIFFERENT, 3, network)
    assert check.reason == "In service, a batch of 3 gave another 'output' for an image than the image alone."
    before = len(network.sizes)
    assert answers(batcher, network, [4, 5, 6]) == [8, 10, 12]
    assert network.sizes[before:] == [1] * 4  # no batch is made of its samples any more
    assert len(checks) == 1


def test_a_batch_that_ran_beside_the_one_that_differed_is_not_believed_either() -> None:
    network, check = Network(lambda y: y.flip(0)), ServiceCheck(lambda _: None)
    pair = [sample(1.0), sample(2.0)]
    results = network.run(pair)
    for _ in range(3):
        found = check.checked(network, pair, results, 0.0)
        assert [float(answer["output"]) for answer in found] == [2, 4]
    assert check.runs_alone(network)
    assert not check.runs_alone(Network())


def test_samples_with_one_answer_prove_nothing_and_end_as_well(batcher: Batcher, checks: list[BatchCheck]) -> None:
    network = Network(lambda y: y[:1].expand_as(y))
    for _ in range(2 * MOST_CHECKS):
        assert answers(batcher, network, [1, 1]) == [2, 2]
    assert {check.outcome for check in checks} == {CheckOutcome.ALIKE}
    assert FIRST_CHECKS <= len(checks) <= MOST_CHECKS


def test_checks_take_a_small_share_of_the_time() -> None:
    slow = ServiceCheck(lambda check: found.append(check.size))
    network, pair = Network(), [sample(1.0), sample(1.0)]
    found: list[int] = []
    for _ in range(MOST_CHECKS):
        slow.checked(network, pair, network.run(pair), 0.0)
    assert len(found) == FIRST_CHECKS
    slow.checked(network, pair, network.run(pair), 3600.0)
    assert len(found) == FIRST_CHECKS + 1


def test_a_sample_that_fails_alone_leaves_the_batch_as_it_is(batcher: Batcher, checks: list[BatchCheck]) -> None:
    network = Network(fails_alone=True)
    assert answers(batcher, network, [1, 2]) == [2, 4]
    assert [check.outcome for check in checks] == [CheckOutcome.FAILED]


def test_no_lock_is_held_while_samples_run_alone(checks: list[BatchCheck]) -> None:
    """One lane checks a batch of a network that is held up; the other lane goes on with another network."""
    batcher = Batcher(4, lanes=Lanes(count=2, cores=2), check=ServiceCheck(checks.append))
    held, other = Network(), Network()
    try:
        begun = threading.Event()

        def hold(results: Tensor) -> Tensor:
            held.may_run.clear()  # from now on: its samples alone
            begun.set()
            return results

        held._change = hold
        held.may_run.clear()
        first = batcher.submit(held, sample(0.0))
        assert held.started.wait(10)
        rest = [batcher.submit(held, sample(float(value))) for value in (1, 2)]
        held.may_run.set()
        assert begun.wait(10)
        assert answers(batcher, other, [1, 2, 3]) == [2, 4, 6]
        assert not any(future.done() for future in rest)
        held.may_run.set()
        assert [float(future.result(10)["output"]) for future in [first, *rest]] == [0, 2, 4]
    finally:
        held.may_run.set()
        batcher.close()
