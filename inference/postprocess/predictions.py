"""What was recognised, and its form in the HTTP contract. Where every kind of post-processing ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference.regions import BBox


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
class Prediction:
    """A label (by its place in the specification) with its score, and where, if boxes are detected."""

    label_index: int
    score: float
    roi: Roi | None = None


def present(
    predictions: Sequence[Prediction], labels: Sequence[Label], show_discarded: bool, max_predictions: int
) -> dict[str, Any]:
    """Return ``{"predicted": [...], "discarded": [...]}``, each by decreasing score, ties by label order.

    A prediction is predicted if its score is greater than its label's threshold, else discarded. Both lists
    together hold at most ``max_predictions``; predicted ones come first.
    """
    ordered = sorted(predictions, key=_order)
    predicted = [p for p in ordered if p.score > labels[p.label_index].threshold][:max_predictions]
    discarded = []
    if show_discarded:
        room = max_predictions - len(predicted)
        discarded = [p for p in ordered if p.score <= labels[p.label_index].threshold][:room]
    return {
        "predicted": [_to_json(prediction, labels) for prediction in predicted],
        "discarded": [_to_json(prediction, labels) for prediction in discarded],
    }


def _order(prediction: Prediction) -> tuple[float, int, int]:
    region_id = 0 if prediction.roi is None else prediction.roi.region_id
    return -prediction.score, prediction.label_index, region_id


def _to_json(prediction: Prediction, labels: Sequence[Label]) -> dict[str, Any]:
    label = labels[prediction.label_index]
    content: dict[str, Any] = {
        "label_id": label.id,
        "label_name": label.name,
        "score": prediction.score,
        "threshold": label.threshold,
    }
    if prediction.roi is not None:
        bbox = prediction.roi.bbox
        content["roi"] = {
            "region_id": prediction.roi.region_id,
            "bbox": {"xmin": bbox.xmin, "ymin": bbox.ymin, "xmax": bbox.xmax, "ymax": bbox.ymax},
        }
    return content
