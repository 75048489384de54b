"""What was recognised, and its form in the HTTP contract. Where every kind of post-processing ends.

A classifier of a thousand labels gives a thousand predictions for each image, of which the answer shows a few. They
stay columns of numbers until it is known which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.regions import BBox

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Label:
    """A label of the specification, with the score that it must exceed to be predicted."""

    id: int
    name: str
    threshold: float


@dataclass(frozen=True)
class Roi:
    """Where in the original image something is; ``region_id`` counts the regions of an image from 1."""

    region_id: int
    bbox: BBox


@dataclass(frozen=True)
class Predictions:
    """K labels with their scores, and where, if boxes are detected.

    ``labels`` K holds places in the specification, ``scores`` K is in [0, 1]; ``rois`` has K elements, or is None.
    """

    labels: Places
    scores: Numbers
    rois: Sequence[Roi] | None = None


def present(
    found: Predictions, labels: Sequence[Label], thresholds: Numbers, show_discarded: bool, max_predictions: int
) -> dict[str, Any]:
    """Return ``{"predicted": [...], "discarded": [...]}``, each by decreasing score, ties by label order.

    A prediction is predicted if its score is greater than its label's threshold, else discarded. Both lists
    together hold at most ``max_predictions``; predicted ones come first.

    Args:
        found: what was recognised.
        labels: the labels of the specification, in order.
        thresholds: theirs, one for each.
        show_discarded: also return what is discarded.
        max_predictions: how many predictions are returned at most.
    """
    passes = found.scores > thresholds[found.labels]
    predicted = _ordered(found, passes)[:max_predictions]
    discarded = _ordered(found, ~passes)[: max_predictions - len(predicted)] if show_discarded else ()
    return {
        "predicted": [_to_json(found, place, labels) for place in predicted],
        "discarded": [_to_json(found, place, labels) for place in discarded],
    }


def _ordered(found: Predictions, which: NDArray[np.bool_]) -> list[int]:
    """Return the places of some predictions by decreasing score; ties by label, then by region."""
    places = which.nonzero()[0]
    rois = found.rois
    regions = np.array([0 if rois is None else rois[place].region_id for place in places.tolist()])
    order = np.lexsort((regions, found.labels[places], -found.scores[places]))  # the last key counts most
    ordered: list[int] = places[order].tolist()
    return ordered


def _to_json(found: Predictions, place: int, labels: Sequence[Label]) -> dict[str, Any]:
    label = labels[found.labels[place]]
    content: dict[str, Any] = {
        "label_id": label.id,
        "label_name": label.name,
        "score": float(found.scores[place]),
        "threshold": label.threshold,
    }
    if found.rois is not None:
        roi = found.rois[place]
        bbox = roi.bbox
        content["roi"] = {
            "region_id": roi.region_id,
            "bbox": {"xmin": bbox.xmin, "ymin": bbox.ymin, "xmax": bbox.xmax, "ymax": bbox.ymax},
        }
    return content
