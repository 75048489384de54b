"""The output layouts of YOLOv2 and YOLOv3: grids of cells that each hold several anchors.

Sources: Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger" (2017), section 2, and "YOLOv3: An
    Incremental
Improvement" (2018), sections 2.1 to 2.3. For the cell at column cx and row cy, and an anchor of pw x ph, a
prediction (tx, ty, tw, th, to) is the box with the centre (sigmoid(tx) + cx, sigmoid(ty) + cy), in cells, the
size (pw exp tw, ph exp th), in the units of the anchor, and the objectness sigmoid(to). The score of a label
is the objectness times the label's probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.errors import NetworkError
from inference.postprocess.candidates import Candidates, corners_of
from inference.postprocess.predictions import Label
from inference.postprocess.tensors import misfit, tensor_of
from inference.preprocess import Prepared

Anchors = Sequence[tuple[float, float]]

_BOX_CHANNELS = 5  # tx, ty, tw, th, to


@dataclass(frozen=True)
class YoloLayout:
    """YOLOv2: one grid; ``anchors`` in its cells; the labels of a box exclude each other (softmax)."""

    output_tensor: str
    anchors: tuple[tuple[float, float], ...]
    is_normalised = True

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates, with boxes in [0, 1] of the network input.

        Raises:
            NetworkError: when the tensor is missing or its shape does not fit the anchors and labels.
        """
        grid = _grid_of(tensors, self.output_tensor, len(self.anchors), len(labels))
        height, width = grid.shape[-2:]
        boxes = _boxes_of(grid, self.anchors, float(width), float(height))
        scores = grid[:, 4:5].sigmoid() * grid[:, _BOX_CHANNELS:].softmax(dim=1)
        return Candidates.of_scores(boxes, _rows_of(scores), minimum)


@dataclass(frozen=True)
class Yolov3Layout:
    """YOLOv3: a grid for each scale; ``anchors`` in pixels of the input; labels are independent (sigmoid).

    Each scale has an equal part of the anchors, and the larger ones belong to the coarser grids, whatever the
    order in which grids and anchors are listed; within a scale the listed order is kept.
    """

    output_tensors: tuple[str, ...]
    anchors: tuple[tuple[float, float], ...]
    is_normalised = True

    def candidates(
        self, tensors: Mapping[str, Tensor], prepared: Prepared, labels: Sequence[Label], minimum: float
    ) -> Candidates:
        """Return the candidates of all scales, with boxes in [0, 1] of the network input.

        Raises:
            NetworkError: when a tensor is missing or its shape does not fit the anchors and labels.
        """
        scales = len(self.output_tensors)
        count, rest = divmod(len(self.anchors), scales)
        if rest or not count:
            raise NetworkError(f"The {len(self.anchors)} anchors cannot be divided among {scales} tensors.")
        grids = [_grid_of(tensors, name, count, len(labels)) for name in self.output_tensors]
        boxes, scores = [], []
        for grid, anchors in zip(grids, self._anchors_of(grids, count), strict=True):
            boxes.append(_boxes_of(grid, anchors, float(prepared.input_width), float(prepared.input_height)))
            scores.append(_rows_of(grid[:, 4:5].sigmoid() * grid[:, _BOX_CHANNELS:].sigmoid()))
        return Candidates.of_scores(torch.cat(boxes), torch.cat(scores), minimum)

    def _anchors_of(self, grids: Sequence[Tensor], count: int) -> list[Anchors]:
        by_area = sorted(range(len(self.anchors)), key=lambda index: self.anchors[index][0] * self.anchors[index][1])
        from_fine = sorted(range(len(grids)), key=lambda index: -grids[index][0, 0].numel())
        parts: list[Anchors] = [()] * len(grids)
        for rank, index in enumerate(from_fine):
            parts[index] = [self.anchors[place] for place in sorted(by_area[rank * count : (rank + 1) * count])]
        return parts


def _grid_of(tensors: Mapping[str, Tensor], name: str, anchors: int, labels: int) -> Tensor:
    """Return a tensor as float32 ``(A, 5+L, H, W)``.

    Accepted are ``(A*(5+L), H, W)`` as Darknet has it, ``(H, W, A*(5+L))``, and both with anchors and
    channels apart: ``(A, 5+L, H, W)``, ``(A, H, W, 5+L)`` and ``(H, W, A, 5+L)``. The first that fits is
    meant.
    """
    tensor = tensor_of(tensors, name, torch.float32)
    channels = _BOX_CHANNELS + labels
    shape = tuple(tensor.shape)
    if tensor.ndim == 3 and shape[0] == anchors * channels:
        return tensor.reshape(anchors, channels, *shape[1:])
    if tensor.ndim == 3 and shape[2] == anchors * channels:
        return tensor.reshape(*shape[:2], anchors, channels).permute(2, 3, 0, 1)
    if tensor.ndim == 4 and shape[:2] == (anchors, channels):
        return tensor
    if tensor.ndim == 4 and (shape[0], shape[3]) == (anchors, channels):
        return tensor.permute(0, 3, 1, 2)
    if tensor.ndim == 4 and shape[2:] == (anchors, channels):
        return tensor.permute(2, 3, 0, 1)
    raise misfit(name, tensor, f"[{anchors * channels}, height, width] for {anchors} anchors and {labels} labels")


def _boxes_of(grid: Tensor, anchors: Anchors, width_unit: float, height_unit: float) -> Tensor:
    """Return the boxes N x 4 of a grid ``(A, 5+L, H, W)``, in [0, 1]; N runs over A, H, W.

    ``width_unit`` and ``height_unit`` are the size of the input in the units of the anchors.
    """
    height, width = grid.shape[-2:]
    tx, ty, tw, th = grid[:, :4].to(torch.float64).unbind(dim=1)
    sizes = torch.tensor(anchors, dtype=torch.float64).view(-1, 2, 1, 1)
    return corners_of(
        x=(tx.sigmoid() + torch.arange(width)) / width,
        y=(ty.sigmoid() + torch.arange(height)[:, None]) / height,
        width=sizes[:, 0] * tw.exp() / width_unit,
        height=sizes[:, 1] * th.exp() / height_unit,
    ).reshape(-1, 4)


def _rows_of(scores: Tensor) -> Tensor:
    """Return scores ``(A, L, H, W)`` as N x L, in the order of the boxes."""
    return scores.permute(0, 2, 3, 1).reshape(-1, scores.shape[1])
