"""Average precision on cases that can be worked out by hand."""

import pytest

from demo.average_precision import ImageResult, evaluate_label, overlaps

BOX = (0.0, 0.0, 1.0, 1.0)
FAR = (5.0, 5.0, 6.0, 6.0)


def test_overlap_is_intersection_over_union() -> None:
    assert overlaps([(0, 0, 2, 2), (1, 1, 3, 3), (2, 2, 3, 3)], (0, 0, 2, 2)).tolist() == [1, pytest.approx(1 / 7), 0]


def test_finding_everything_is_perfect() -> None:
    figures = evaluate_label([ImageResult([BOX], [0.9], [BOX]), ImageResult([FAR], [0.3], [FAR])])
    assert (figures.average_precision, figures.precision, figures.recall) == (1, 1, 1)


def test_a_second_box_on_the_same_object_is_wrong() -> None:
    figures = evaluate_label([ImageResult([BOX, BOX], [0.9, 0.8], [BOX])])
    assert (figures.average_precision, figures.precision, figures.recall) == (1, 0.5, 1)


def test_a_confident_mistake_costs_more_than_a_doubtful_one() -> None:
    confident = evaluate_label([ImageResult([FAR, BOX], [0.9, 0.5], [BOX])])
    doubtful = evaluate_label([ImageResult([FAR, BOX], [0.5, 0.9], [BOX])])
    assert confident.average_precision == 0.5
    assert doubtful.average_precision == 1


def test_a_missed_object_bounds_the_recall() -> None:
    figures = evaluate_label([ImageResult([BOX], [0.9], [BOX]), ImageResult([], [], [FAR])])
    assert (figures.average_precision, figures.precision, figures.recall) == (0.5, 1, 0.5)


def test_finding_nothing_is_zero() -> None:
    assert evaluate_label([ImageResult([], [], [BOX])]).average_precision == 0
