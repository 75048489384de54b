"""Average precision, the usual figure for detectors, for `demo.evaluate` and the tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = Sequence[tuple[float, float, float, float]]  # xmin, ymin, xmax, ymax


@dataclass(frozen=True)
class ImageResult:
    """What was found in one image and what is there, of one label. `scores[i]` belongs to `found[i]`."""

    found: Boxes
    scores: Sequence[float]
    truth: Boxes


@dataclass(frozen=True)
class LabelFigures:
    """How well one label was found; precision and recall are those of all that was found."""

    average_precision: float
    precision: float
    recall: float


def evaluate_label(results: Sequence[ImageResult], iou_threshold: float = 0.5) -> LabelFigures:
    """Judge the boxes of one label over all images.

    By decreasing score, each box is right when its IoU with the best true box of its image reaches the
    threshold and no box before it took that one. Average precision is the area below the precision-recall
    curve, where precision is made to fall only (the definition of PASCAL VOC since 2010).
    """
    wanted = sum(len(result.truth) for result in results)
    scored = [pair for result in results for pair in _judged_scores(result, iou_threshold)]
    if not scored or wanted == 0:
        return LabelFigures(0.0, 0.0, 0.0)
    scored.sort(key=lambda pair: -pair[0])
    right = np.cumsum([hit for _, hit in scored])
    precision = right / np.arange(1, len(scored) + 1)
    recall = right / wanted
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    area = float(np.sum(np.diff(recall, prepend=0.0) * falling))
    return LabelFigures(area, float(precision[-1]), float(recall[-1]))


def overlaps(boxes: Boxes, box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return the IoU of each of `boxes` with `box`."""
    array = np.asarray(boxes, np.float64).reshape(-1, 4)
    low, high = np.maximum(array[:, :2], box[:2]), np.minimum(array[:, 2:], box[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(array[:, 2:] - array[:, :2], axis=1)
    result: NDArray[np.float64] = shared / (areas + (box[2] - box[0]) * (box[3] - box[1]) - shared)
    return result


def _judged_scores(result: ImageResult, iou_threshold: float) -> list[tuple[float, bool]]:
    """Return each box's score and whether it is right, by decreasing score."""
    taken: set[int] = set()
    judged = []
    for index in np.argsort(-np.asarray(result.scores), kind="stable"):
        values = overlaps(result.truth, result.found[index])
        best = int(values.argmax()) if len(values) else -1
        hit = best >= 0 and bool(values[best] >= iou_threshold) and best not in taken
        if hit:
            taken.add(best)
        judged.append((result.scores[index], hit))
    return judged
