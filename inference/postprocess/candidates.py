"""Boxes with scores, before it is decided which of them are objects: what every layout of detection tensors ends as."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Candidates:
    """K pairs of a box and a label.

    ``boxes`` is float64 K x 4, ``xmin ymin xmax ymax``, in the units of the network's tensors; ``scores``
    float32 K; ``labels`` int64 K, places in the specification; ``sources`` int64 K: pairs of one source with
    equal boxes are alternate labels of one region.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    sources: Tensor

    @classmethod
    def of_scores(cls, boxes: Tensor, scores: Tensor, minimum: float) -> "Candidates":
        """Return the pairs whose score is at least ``minimum``.

        Args:
            boxes: N x 4, or N x L x 4 when each label has a box of its own.
            scores: N x L, column i for label i. Scores that are no number are left out.
            minimum: candidates below are left out.
        """
        sources, labels = (scores >= minimum).nonzero(as_tuple=True)
        return cls(
            boxes=boxes[sources] if boxes.ndim == 2 else boxes[sources, labels],
            scores=scores[sources, labels],
            labels=labels,
            sources=sources,
        )

    def at(self, indices: Tensor) -> "Candidates":
        """Return the pairs that ``indices`` (places or a mask) selects."""
        return Candidates(self.boxes[indices], self.scores[indices], self.labels[indices], self.sources[indices])


def corners_of(x: Tensor, y: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """Return boxes ``(..., 4)`` of ``xmin ymin xmax ymax`` from centres and sizes."""
    return torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)
