"""A network is given batches only if images were seen to get in them what they get alone, by answers that differ."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.network import Precision
from inference.warm_up import warm_up
from tests.unit.inference.batch_faults import (
    EXAMPLE,
    Head,
    LoopOverBatch,
    Scores,
    SortedRows,
    loaded,
    traced,
    with_column,
)
from tests.unit.inference.seeded_networks import images

MASKS = [float("inf"), float("-inf"), 1e30, -1e30, -1e9, float("nan")]


def report_of(module: Callable[..., object], maximum: int = 8, **options: object) -> dict[str, Any]:
    """The report with a clock that finds each run to take one second, so that the largest batch is the best."""
    return warm_up(loaded(module, **options), maximum, clock=itertools.count().__next__).report


def minus_mean(scores: Tensor) -> Tensor:
    return scores - scores.mean(0)


@pytest.mark.parametrize("bias", [0.0, -1000.0], ids=["finds something", "finds nothing"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_loop_over_the_batch_that_was_traced_is_not_batched(bias: float, count: int) -> None:
    network = traced(LoopOverBatch(Head(bias)), EXAMPLE.repeat(count, 1, 1, 1))
    if count == 2:  # an image alone is refused by what was traced, so it is given as often as it takes
        module = network
        network = lambda x: module(x.repeat(2, 1, 1, 1)[: max(2, len(x))])[: len(x)]  # noqa: E731
    report = report_of(network)
    assert report["max_batch_size"] == 1
    assert report["batch_reason"].startswith("One image at a time: ")


def test_why_batches_are_not_used_is_said_with_what_that_costs() -> None:
    assert report_of(traced(LoopOverBatch(Head())))["batch_reason"] == (
        "One image at a time: in a batch of 2, the output 'output' of an image differs from that of the image alone."
        " Batches of 8 would give 8.0 times as many images a second."
    )
    assert "the network gives the same answer for all images" in report_of(LoopOverBatch(Head(-1000)))["batch_reason"]
    assert "batched_output false" in report_of(Scores(lambda y: y), batched=False)["batch_reason"]
    assert "limits batches to one image" in report_of(Scores(lambda y: y), maximum=1)["batch_reason"]
    assert "fails on a batch of 2" in report_of(Scores(lambda y: y[:1]))["batch_reason"]


def test_a_detector_that_finds_nothing_beside_features_is_not_batched() -> None:
    head, loop = Head(), LoopOverBatch(Head(-1000))
    report = report_of(lambda x: (head(x), loop(x)))
    assert report["max_batch_size"] == 1
    assert "'output_1' is one and the same value for all images" in report["batch_reason"]


@pytest.mark.parametrize("value", MASKS)
def test_a_mask_value_hides_no_mixing(value: float) -> None:
    assert report_of(Scores(lambda y: with_column(minus_mean(y), value)))["max_batch_size"] == 1
    assert report_of(Scores(lambda y: (minus_mean(y), with_column(y, value))))["max_batch_size"] == 1


@pytest.mark.parametrize("value", [*MASKS, 1e6, 0.0])
def test_a_mask_value_keeps_no_network_from_batches(value: float) -> None:
    report = report_of(Scores(lambda y: with_column(y, value)))
    assert report["max_batch_size"] == 8
    assert report["batch_reason"] == "In batches of up to 8, images give what they give alone."


@pytest.mark.parametrize(
    "change",
    [
        minus_mean,
        lambda y: y - 0.2 * y.mean(0),
        lambda y: y[:1].expand_as(y),
        lambda y: y.flip(0),
        lambda y: y.roll(1, 0),
        lambda y: torch.cat([y[:2], torch.zeros_like(y[2:])]),
        lambda y: torch.cat([y[:4], y[:4]])[: len(y)],
        lambda y: y.softmax(0),
        lambda y: y.where(y >= y.mean(0), torch.nan),
        lambda y: (y, y.flip(0).argmax(1)),
    ],
)
def test_what_mixes_images_is_not_batched(change: Callable[[Tensor], object]) -> None:
    assert report_of(Scores(change))["max_batch_size"] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.softmax(1),
        lambda y: y.log_softmax(1).where(y > 0, -torch.inf),
        lambda y: (y, torch.ones(len(y), 3, 2) * torch.arange(2.0)),  # the same for all images
        lambda y: 1e-12 * y,
        lambda y: 1000 + y,
    ],
)
def test_what_keeps_images_apart_is_batched(change: Callable[[Tensor], object]) -> None:
    assert report_of(Scores(change))["max_batch_size"] == 8


@pytest.mark.parametrize(
    "normalisation",
    [nn.GroupNorm(2, 8), nn.InstanceNorm2d(8), nn.BatchNorm2d(8), nn.BatchNorm2d(8, track_running_stats=False)],
)
def test_normalisations_of_one_image_are_batched_and_those_of_a_batch_are_not(normalisation: nn.Module) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 5, stride=3), normalisation, nn.ReLU(), nn.Flatten(), nn.Linear(800, 3))
    is_of_batch = isinstance(normalisation, nn.BatchNorm2d) and not normalisation.track_running_stats
    assert report_of(module.eval())["max_batch_size"] == (1 if is_of_batch else 8)


def test_detections_that_are_sorted_image_by_image_are_batched() -> None:
    assert report_of(SortedRows(Head()))["max_batch_size"] == 8
    assert report_of(traced(SortedRows(Head())))["max_batch_size"] == 8


def test_a_network_that_gives_the_same_for_every_image_is_not_batched() -> None:
    assert report_of(lambda x: torch.ones(len(x), 3))["max_batch_size"] == 1


class Coarse(nn.Module):
    """Scores that a lower precision takes away, beside one large constant."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = Scores(lambda y: y)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.scores(x)
        if torch.is_autocast_enabled("cpu"):
            scores = torch.ones_like(scores)
        return with_column(scores, 1e6)


def test_a_large_constant_lets_no_precision_pass() -> None:
    report = report_of(Coarse().eval(), precision="auto")
    assert report["precision"] == Precision.FLOAT32.value
    assert "bfloat16 fails, or differs from float32 by more than 2%" in report["precision_reason"]


def test_a_precision_is_not_lowered_where_answers_tell_nothing() -> None:
    report = report_of(lambda x: torch.ones(len(x), 3), precision="auto")
    assert report["precision"] == "float32"
    assert "same answer for all images" in report["precision_reason"]


def test_real_images_differ_enough_for_the_networks_of_these_tests() -> None:
    one, other = images(2)
    assert not torch.equal(one, other)
