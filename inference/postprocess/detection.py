"""Objects with labels and boxes, from whatever layout the network returns them in.

Candidates of the layout are brought to the original image, those that mean the same object are reduced to the
best one, and what remains is grouped into regions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from inference.errors import NetworkError
from inference.postprocess.candidates import Candidates
from inference.postprocess.layouts import Layout
from inference.postprocess.predictions import Label, Predictions, Roi
from inference.postprocess.tensors import INPUT_SIZE, tensor_of
from inference.preprocess import Prepared
from inference.regions import BBox

# Comparing boxes takes the square of their number; only a discard threshold near 0 ever gets here.
MAX_CANDIDATES = 10_000


@dataclass(frozen=True)
class Detection:
    """How boxes become objects; see the HTTP contract for the thresholds.

    ``normalize_wrt_tensor`` names the tensor that holds the input's height and width when boxes are in
    pixels; None: they are in [0, 1] already.
    """

    layout: Layout
    normalize_wrt_tensor: str | None
    nms_threshold: float
    discard_threshold: float

    def predictions(self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label]) -> Predictions:
        """Return the objects with their boxes in the original image.

        Whether the labels exclude each other changes nothing here: each label that a candidate has a score
        for is predicted or discarded by its own threshold, and they share the region.

        Raises:
            NetworkError: when a tensor is missing or its shape does not fit the labels.
        """
        found = self.layout.candidates(tensors, prepared, labels, self.discard_threshold)
        scale = self._input_size(tensors, prepared)
        found = _on_image(found, prepared, scale)
        found = found.at(found.scores.sort(descending=True, stable=True).indices[:MAX_CANDIDATES])
        return _as_predictions(found.at(_distinct(found, self.nms_threshold)))

    def _input_size(self, tensors: Mapping[str, Tensor], prepared: Prepared) -> tuple[float, float]:
        """Return the width and height by which the boxes of the layout are divided."""
        if self.layout.is_normalised or self.normalize_wrt_tensor is None:
            return 1.0, 1.0
        if self.normalize_wrt_tensor == INPUT_SIZE:
            return float(prepared.input_width), float(prepared.input_height)
        values = tensor_of(tensors, self.normalize_wrt_tensor, torch.float64).flatten().tolist()
        if len(values) < 2 or not (values[0] > 0 and values[1] > 0):
            raise NetworkError(f"The tensor {self.normalize_wrt_tensor!r} does not hold a height and a width.")
        return values[1], values[0]


def _on_image(found: Candidates, prepared: Prepared, size: tuple[float, float]) -> Candidates:
    """Return the candidates with their boxes in the original image, clipped to it; what is left empty is dropped."""
    boxes = found.boxes / torch.tensor([*size, *size], dtype=torch.float64)
    boxes = prepared.placement.to_image(boxes)
    is_finite = boxes.isfinite().all(dim=1)
    boxes = boxes.clamp(0, 1)
    is_box = is_finite & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    return Candidates(boxes, found.scores.clamp(max=1), found.labels, found.sources).at(is_box)


def _distinct(found: Candidates, threshold: float) -> Tensor:
    """Return the places, by decreasing score, that non-maximum suppression leaves, for each label by itself.

    Of two boxes of one label whose Jaccard index is above ``threshold``, the one with the lower score goes.
    """
    kept = [
        places[nms(found.boxes[places], found.scores[places].to(torch.float64), threshold)]
        for label in sorted(set(found.labels.tolist()))
        for places in (found.labels == label).nonzero(as_tuple=True)
    ]
    return torch.cat(kept).sort().values if kept else torch.zeros(0, dtype=torch.int64)


def _as_predictions(found: Candidates) -> Predictions:
    """Return predictions of candidates that come by decreasing score, and number their regions in that order."""
    regions: dict[tuple[int, tuple[float, ...]], Roi] = {}
    rois = [
        regions.setdefault((source, tuple(box)), Roi(len(regions) + 1, BBox(*box)))
        for source, box in zip(found.sources.tolist(), found.boxes.tolist(), strict=True)
    ]
    return Predictions(found.labels.numpy(), found.scores.numpy().astype(np.float64), rois)
