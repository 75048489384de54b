"""The forms in which detection networks return boxes, scores and labels, and the reading of which one a version has.

Each layout is a frozen description with one method that turns tensors into candidates. The YOLO layouts have
a module of their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from inference.errors import NetworkError
from inference.postprocess.candidates import Candidates, corners_of
from inference.postprocess.predictions import Label
from inference.postprocess.tensors import misfit, tensor_of
from inference.postprocess.yolo import YoloLayout, Yolov3Layout
from inference.preprocess import Prepared

# A delta of a size is cut at the one that makes an anchor of 16 pixels 1000 pixels wide, so that exp cannot
# overflow; the bound that Detectron and torchvision have.
MAX_SIZE_DELTA = math.log(1000 / 16)


class Layout(Protocol):
    """How tensors hold boxes, scores and labels."""

    @property
    def is_normalised(self) -> bool:
        """Whether boxes are in [0, 1] whatever the post-processing says of pixels."""

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates whose score is at least ``minimum``."""


@dataclass(frozen=True)
class DirectLayout:
    """Boxes N x 4 with a score and a label ID each, both N; or N x M x 4 and N x M, with M labels for each source."""

    boxes_tensor: str
    scores_tensor: str
    classes_tensor: str
    is_normalised = False

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates; IDs that the specification does not have (a background, for example) are left out.

        Raises:
            NetworkError: when a tensor is missing or their shapes do not fit each other.
        """
        scores = tensor_of(tensors, self.scores_tensor, torch.float32)
        classes = tensor_of(tensors, self.classes_tensor, torch.float64)
        boxes = tensor_of(tensors, self.boxes_tensor, torch.float64)
        if scores.ndim not in (1, 2):
            raise misfit(self.scores_tensor, scores, "N or N x L")
        if classes.shape != scores.shape:
            raise misfit(self.classes_tensor, classes, f"{list(scores.shape)} as the scores have")
        boxes = boxes.reshape(*scores.shape, 4) if scores.numel() == 0 == boxes.numel() else boxes
        if boxes.shape != (*scores.shape, 4):
            raise misfit(self.boxes_tensor, boxes, f"{[*scores.shape, 4]}")
        places, is_known = _places_of(classes, labels)
        chosen = is_known & (scores >= minimum)
        return Candidates(boxes[chosen], scores[chosen], places[chosen], chosen.nonzero()[:, 0])


@dataclass(frozen=True)
class StandardLayout:
    """Boxes N x 4, or N x L x 4 with a box for each label, and scores N x L."""

    boxes_tensor: str
    scores_tensor: str
    is_normalised = False

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates.

        Raises:
            NetworkError: when a tensor is missing or its shape does not fit the labels.
        """
        scores = _rows_of(tensors, self.scores_tensor, len(labels), torch.float32)
        boxes = tensor_of(tensors, self.boxes_tensor, torch.float64)
        if len(scores) == 0 == boxes.numel():
            boxes = boxes.reshape(0, 4)
        if boxes.shape not in ((len(scores), 4), (len(scores), len(labels), 4)):
            raise misfit(self.boxes_tensor, boxes, f"{[len(scores), 4]} or {[len(scores), len(labels), 4]}")
        return Candidates.of_scores(boxes, scores, minimum)


@dataclass(frozen=True)
class AnchoredLayout:
    """Anchors N x 5 with scores N x (L+1) and box deltas N x (L+1)*4, the background before the labels.

    An anchor is ``score x y width height``, where x and y are its centre: the notation of R-CNN and Faster
    R-CNN, in which the deltas are defined. Its own score (the objectness by which it was proposed) is not
    used: the labels' scores are the result, as in Faster R-CNN.
    """

    anchors_tensor: str
    scores_tensor: str
    offsets_tensor: str
    is_normalised = False

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates, each label with its own box.

        With the anchor (x, y, w, h) and the delta (dx, dy, dw, dh), the box has the centre (x + w dx, y + h
        dy) and the size (w exp dw, h exp dh): Girshick et al., "Rich feature hierarchies for accurate object
        detection and semantic segmentation", 2014, appendix C.

        Raises:
            NetworkError: when a tensor is missing or its shape does not fit the labels.
        """
        columns = len(labels) + 1
        scores = _rows_of(tensors, self.scores_tensor, columns, torch.float32)[:, 1:]
        anchors = _rows_of(tensors, self.anchors_tensor, 5, torch.float64)
        offsets = _rows_of(tensors, self.offsets_tensor, columns * 4, torch.float64)
        if not len(scores) == len(anchors) == len(offsets):
            raise NetworkError(
                f"The tensors {self.anchors_tensor!r}, {self.scores_tensor!r} and {self.offsets_tensor!r} have"
                f" {len(anchors)}, {len(scores)} and {len(offsets)} rows; as many are needed."
            )
        deltas = offsets.view(-1, columns, 4)[:, 1:]
        x, y, width, height = anchors[:, 1:, None].unbind(dim=1)
        boxes = corners_of(
            x + width * deltas[..., 0],
            y + height * deltas[..., 1],
            width * deltas[..., 2].clamp(max=MAX_SIZE_DELTA).exp(),
            height * deltas[..., 3].clamp(max=MAX_SIZE_DELTA).exp(),
        )
        return Candidates.of_scores(boxes, scores, minimum)


def layout_from_json(detection: Mapping[str, Any]) -> Layout:
    """Return the layout that a ``detection`` post-processing names.

    Raises:
        NetworkError: when it names none.
    """
    match detection:
        case {"direct_output": given}:
            return DirectLayout(given["boxes_tensor"], given["scores_tensor"], given["classes_tensor"])
        case {"standard_output": given}:
            return StandardLayout(given["boxes_tensor"], given["scores_tensor"])
        case {"anchored_output": given}:
            return AnchoredLayout(given["anchors_tensor"], given["scores_tensor"], given["offsets_tensor"])
        case {"yolo_output": given}:
            return YoloLayout(given["output_tensor"], _pairs(given["anchors"]))
        case {"yolov3_output": given}:
            return Yolov3Layout(tuple(given["output_tensors"]), _pairs(given["anchors"]))
    raise NetworkError("The detection post-processing names no layout of its tensors.")


def _pairs(anchors: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(width), float(height)) for width, height in anchors)


def _rows_of(tensors: Mapping[str, Tensor], name: str, columns: int, dtype: torch.dtype) -> Tensor:
    tensor = tensor_of(tensors, name, dtype)
    if tensor.numel() == 0 and tensor.shape[0] == 0:
        return tensor.reshape(0, columns)
    if tensor.ndim != 2 or tensor.shape[1] != columns:
        raise misfit(name, tensor, f"N x {columns}")
    return tensor


def _places_of(classes: Tensor, labels: Sequence[Label]) -> tuple[Tensor, Tensor]:
    """Return the places of label IDs among ``labels``, and whether they are there at all."""
    ids, order = torch.tensor([label.id for label in labels], dtype=torch.float64).sort()
    found = torch.searchsorted(ids, classes.contiguous()).clamp(max=len(labels) - 1)
    return order[found], ids[found] == classes
