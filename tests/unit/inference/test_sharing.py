"""Batches run side by side where that is not slower, changes no results, and cannot let one run meddle with another."""

import itertools
import warnings

import pytest
import torch
from torch import Tensor, nn

from inference import sharing
from inference.execution import Execution, prepared_copy
from inference.frozen_graph import keeps_nothing
from inference.lanes import Lanes
from inference.loaded_network import LoadedNetwork, Sample
from inference.sharing import ONE_AT_A_TIME, Sharing, choose_sharing
from tests.unit.inference.clocks import clock_of, ticking
from tests.unit.inference.seeded_networks import CPU, description, images

PAIR: list[Sample] = [(image,) for image in images(2)]
LANES = Lanes(count=2, cores=2)


class Stateless(nn.Module):
    """A network like any other."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 3)
        self.normalisation = nn.BatchNorm2d(2)

    def forward(self, batch: Tensor) -> Tensor:
        features: Tensor = self.normalisation(self.convolution(batch))
        return features.mean((2, 3))


class Counting(Stateless):
    """A network that counts its runs in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, batch: Tensor) -> Tensor:
        self.runs += 1
        return batch.mean((2, 3)) + 0 * self.runs


class Overwriting(Stateless):
    """A network that uses a buffer as scratch paper."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scratch", torch.zeros(3))

    def forward(self, batch: Tensor) -> Tensor:
        self.scratch.copy_(batch.mean((0, 2, 3)))
        return batch.mean((2, 3)) + 0 * self.scratch


def frozen(module: nn.Module) -> LoadedNetwork:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated; what users scripted before has to load
        scripted: nn.Module = torch.jit.script(module.eval())
    plain = LoadedNetwork(scripted, description(), CPU, weight_bytes=0)
    network = prepared_copy(plain, Execution(frozen=True))
    assert network.is_frozen
    return network


@pytest.mark.parametrize(("module", "keeps"), [(Stateless, False), (Counting, True), (Overwriting, True)])
def test_what_a_network_keeps_is_seen(module: type[nn.Module], keeps: bool) -> None:
    assert keeps_nothing(frozen(module()).module) is not keeps


def test_modules_are_not_trusted() -> None:
    assert not keeps_nothing(Stateless())


def test_what_is_not_slower_runs_side_by_side_with_the_fewest_threads_that_do() -> None:
    assert choose_sharing(frozen(Stateless()), PAIR, LANES, ticking()) == Sharing(side_by_side=True, threads=1)


def test_one_sample_has_as_many_threads_as_it_gains_from() -> None:
    one_by_one, side_by_side, one_thread, two_threads, disturbed = 1.0, 1.0, 1.0, 0.6, 1.5
    turns = [one_thread, disturbed, one_thread, two_threads, one_thread, disturbed]
    clock = clock_of(*[one_by_one, side_by_side] * 3, *turns)
    assert choose_sharing(frozen(Stateless()), PAIR, LANES, clock) == Sharing(side_by_side=True, threads=2)


def test_what_is_slower_side_by_side_is_not() -> None:
    assert choose_sharing(frozen(Stateless()), PAIR, LANES, clock_of(*[1.0, 1.1] * 3)) == ONE_AT_A_TIME


def test_what_keeps_something_does_not_run_side_by_side() -> None:
    assert choose_sharing(frozen(Counting()), PAIR, LANES, ticking()) == ONE_AT_A_TIME


def test_one_lane_leaves_nothing_to_choose() -> None:
    assert choose_sharing(frozen(Stateless()), PAIR, Lanes(), ticking()) == ONE_AT_A_TIME


def test_other_results_side_by_side_are_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = itertools.count()

    class Drifting(nn.Module):
        """A network whose runs differ."""

        def forward(self, batch: Tensor) -> Tensor:
            return batch.mean((2, 3)) + next(runs)

    monkeypatch.setattr(sharing, "keeps_nothing", lambda module: True)  # wrongly
    network = LoadedNetwork(Drifting(), description(), CPU, weight_bytes=0, is_frozen=True)
    assert choose_sharing(network, PAIR, LANES, ticking()) == ONE_AT_A_TIME


def test_threads_when_all_lanes_are_busy() -> None:
    lanes = Lanes(count=2, cores=8)
    assert ONE_AT_A_TIME.threads_when_busy(lanes) == 8
    assert Sharing(side_by_side=True, threads=8).threads_when_busy(lanes) == 4
    assert Sharing(side_by_side=True, threads=1).threads_when_busy(lanes) == 1
    assert ONE_AT_A_TIME.threads_when_busy(Lanes()) is None
