"""How far answers are apart: element by element where they are finite, by what is usual in their place."""

import math

import pytest
import torch
from torch import Tensor

from inference.evidence.comparison import agree, differences, distance
from inference.evidence.telling import is_same, strengths, what_is_missing

NAN, INF = math.nan, math.inf


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_what_is_equal_is_not_apart() -> None:
    for tensor in (numbers(5), torch.zeros(3), torch.zeros(0, 4), torch.tensor(2), torch.tensor([NAN, INF, -INF, 1.0])):
        assert distance(tensor, tensor.clone()) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1.0, NAN], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, NAN]),
        ([NAN, 1.0], [1.0, NAN]),
        ([1.0, INF], [1.0, -INF]),
        ([1.0, INF], [1.0, 3e38]),
        ([1.0, NAN], [1.0, INF]),
    ],
)
def test_nan_and_infinities_have_to_be_at_equal_places(one: list[float], other: list[float]) -> None:
    assert distance(torch.tensor(one), torch.tensor(other)) == INF
    assert not agree([{"y": torch.tensor(one)}], [{"y": torch.tensor(other)}], 1e9)


def test_other_shapes_names_and_kinds_of_numbers_are_infinitely_far() -> None:
    assert distance(torch.ones(2), torch.ones(3)) == INF
    assert distance(torch.ones(2), torch.ones(2, dtype=torch.int64)) == INF
    assert differences({"a": torch.ones(1)}, {"b": torch.ones(1)}) == {"a": INF, "b": INF}


@pytest.mark.parametrize("mask", [INF, -INF, NAN, 1e30, -1e30, -65504.0, -1e9])
def test_masks_do_not_widen_the_scale(mask: float) -> None:
    scores = numbers(100)
    scores[:60] = mask
    changed = scores.clone()
    changed[60:] += 0.05
    assert distance(changed, scores) > 0.01


def test_a_difference_is_relative_to_the_median() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0, 1e8])
    changed = scores + torch.tensor([0.1, 0.0, 0.0, 0.0])
    assert distance(changed, scores) == pytest.approx(0.1 / 2 / 5)
    assert distance(scores * 1.03, scores) == pytest.approx(0.03, rel=0.5)


def test_scores_beside_boxes_have_a_scale_of_their_own() -> None:
    rows = torch.cat([640 * numbers(50, 4).abs(), numbers(50, 1).sigmoid() / 100], 1)
    changed = rows.clone()
    changed[:, 4] += 0.001
    for ours, theirs in ((changed, rows), (changed.T, rows.T)):
        assert distance(ours, theirs) > 0.02
    changed = rows.clone()
    changed[:, :4] += 0.001
    assert distance(changed, rows) < 1e-4


def test_integers_are_right_or_wrong() -> None:
    labels = torch.arange(1000)
    changed = labels.clone()
    changed[7] += 1
    assert distance(changed, labels) == pytest.approx(0.001)
    assert distance(torch.tensor(3), torch.tensor(4)) == 1
    assert distance(torch.tensor([True, False]), torch.tensor([True, True])) == 0.5


def rows_of(order: list[int], shift: float = 0.0) -> dict[str, Tensor]:
    boxes = torch.tensor([[0, 0, 9, 9], [20, 5, 30, 50], [4, 4, 50, 60], [7, 0, 70, 90], [1, 2, 3, 4.0]])
    labels = torch.tensor([3, 1, 1, 2, 5])
    scores = torch.tensor([0.9, 0.5 + shift, 0.5, 0.3, 0.2])
    return {
        "boxes": boxes[order] + shift,
        "labels": labels[order],
        "scores": scores[order].sort(descending=True).values,
    }


def test_rows_that_rounding_has_exchanged_are_matched() -> None:
    one, other = rows_of([0, 1, 2, 3, 4], 1e-6), rows_of([0, 2, 1, 3, 4])
    assert agree([one], [other], 1e-5)
    one["boxes"][1] += 3
    assert not agree([one], [other], 1e-3)


def test_a_last_row_that_rounding_has_cut_is_not_missed_but_others_are() -> None:
    every = rows_of([0, 1, 2, 3, 4])
    assert agree([{name: rows[:4] for name, rows in every.items()}], [every], 1e-3)
    assert not agree([{name: rows[:3] for name, rows in every.items()}], [every], 1e-3)
    assert not agree([{name: rows[1:] for name, rows in every.items()}], [every], 1e-3)
    assert not agree([{name: rows[:0] for name, rows in every.items()}], [every], 1e-3)


def test_another_label_is_another_detection() -> None:
    one, other = rows_of([0, 1, 2, 3, 4]), rows_of([0, 1, 2, 3, 4])
    one["labels"][0] = 4
    assert not agree([one], [other], 1e-3)


def test_lists_that_are_filled_up_are_compared_by_what_they_hold() -> None:
    held = torch.cat([rows_of([0, 1, 2, 3, 4])["boxes"], torch.tensor([[0.9], [0.5], [0.5], [0.3], [0.2]])], 1)
    full = torch.cat([held, torch.zeros(295, 5)])
    others = torch.cat([held.flip(0) * 1.5, torch.zeros(295, 5)])
    others[:5, 4] = held[:, 4]
    assert not agree([{"output": others}], [{"output": full}], 1e-3)
    assert not agree([{"output": torch.zeros(300, 5)}], [{"output": full}], 1e-3)
    exchanged = full[[0, 2, 1, *range(3, 300)]]
    assert agree([{"output": exchanged}], [{"output": full}], 1e-5)


def test_scores_that_are_not_in_order_are_compared_in_their_places() -> None:
    scores = torch.tensor([0.1, 0.5, 0.4])
    assert not agree([{"output": scores[[1, 0, 2]]}], [{"output": scores}], 1e-3)


def test_what_could_be_another_images_answer_is_not_the_same() -> None:
    answers = [{"y": torch.tensor([1.0, 2.0])}, {"y": torch.tensor([1.0001, 2.0])}]
    strength = strengths(answers)
    assert agree(answers[::-1], answers, 1e-3)
    assert not is_same(answers[::-1], answers, 1e-3, strength)
    assert is_same(answers, answers, 1e-3, strength)


def test_answers_that_are_alike_prove_nothing() -> None:
    grid, one, other = torch.arange(6.0), torch.tensor([1.0]), torch.tensor([2.0])
    assert "same answer" in str(what_is_missing([{"y": grid}, {"y": grid}]))
    assert "'label'" in str(what_is_missing([{"y": one, "label": one}, {"y": other, "label": one}]))
    assert "'boxes'" in str(what_is_missing([{"y": one, "boxes": grid[:0]}, {"y": other, "boxes": grid[:0]}]))
    assert what_is_missing([{"y": one, "grid": grid}, {"y": other, "grid": grid}]) is None
