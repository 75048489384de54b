"""What the detector learns from: which location answers for which shape, and how wrong its answer is."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torchvision.ops import generalized_box_iou_loss

from demo import LABELS
from demo.detector import Detector

_CENTRE_RADIUS = 1.5  # strides around a box's centre in which locations answer for it
_LARGEST_SIDE = {8: 48.0, 16: 96.0, 32: float("inf")}  # pixels: the boxes that each scale answers for
_BOX_WEIGHT = 2.0


def detection_loss(detector: Detector, images: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of one batch: boxes (B, M, 4) in pixels, labels (B, M) with -1 where there is no box.

    Labels: quality focal loss (Li et al., 2020, arXiv:2006.04388) towards (1 + IoU) / 2, so that of several
    locations that see one shape the one with the best box scores best. Boxes: generalised IoU
    (Rezatofighi et al., 2019, arXiv:1902.09630). Both are sums over locations, per answering location.
    """
    logits, predicted = detector(images)
    owner = assign(detector.centres, detector.strides, boxes, labels)
    answers = owner >= 0
    count = answers.sum().clamp(min=1)
    index = owner.clamp(min=0)
    wanted = boxes.gather(1, index.unsqueeze(2).expand(-1, -1, 4))[answers]
    box_loss = generalized_box_iou_loss(predicted[answers], wanted)
    # The generalised IoU is never above the IoU, and near it for boxes that overlap well.
    quality = (1 - box_loss.detach() / 2).clamp(0, 1)
    target = torch.zeros_like(logits)
    target[answers] = one_hot(labels.gather(1, index)[answers], len(LABELS)) * quality[:, None]
    focus = (target - logits.detach().sigmoid()).square()
    label_loss: Tensor = (focus * binary_cross_entropy_with_logits(logits, target, reduction="none")).sum()
    total: Tensor = label_loss + _BOX_WEIGHT * box_loss.sum()
    return total / count


def assign(centres: Tensor, strides: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """Return the index of the box that each location answers for (B, N), or -1; small boxes come first."""
    low, high = boxes[:, None, :, :2], boxes[:, None, :, 2:]
    place = centres[None, :, None]
    inside = ((place > low) & (place < high)).all(3)
    near = ((place - (low + high) / 2).abs() < _CENTRE_RADIUS * strides[None, :, None, None]).all(3)
    sides = high - low
    longest = sides.amax(3)
    limits = torch.tensor([_LARGEST_SIDE[int(stride)] for stride in strides.tolist()])[None, :, None]
    smallest = torch.tensor([_smallest_side(int(stride)) for stride in strides.tolist()])[None, :, None]
    fits = (longest > smallest) & (longest <= limits)
    candidates = inside & near & fits & (labels >= 0)[:, None]
    area = sides.prod(3).masked_fill(~candidates, float("inf"))
    best, index = area.min(dim=2)
    return torch.where(best.isfinite(), index, -1)


def _smallest_side(stride: int) -> float:
    return {8: 0.0, 16: _LARGEST_SIDE[8], 32: _LARGEST_SIDE[16]}[stride]
