"""Teaches a classifier's inner layers where to look, while it is trained.

A shape may be small and anywhere. From the image's one label alone, a network that averages over the whole
image takes thousands of steps to find out what matters; told place by place what lies there, a few hundred.
`demo.train_classifier` uses it; nothing of it is left in the trained model.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from demo import LABELS
from demo.training_data import TrainingData

_BACKGROUND = 0  # a place's class; label + 1 is the shape's
_CORE = 0.25  # half of a box's middle part, the share of its sides in which a place counts as the shape


class Guidance(nn.Module):
    """One linear classifier for each of the named layers of `model`, which reads every place of its output."""

    def __init__(self, model: nn.Module, layers: Sequence[str], image_side: int) -> None:
        super().__init__()
        self._features: dict[str, Tensor] = {}
        self._image_side = image_side
        for layer in layers:
            model.get_submodule(layer).register_forward_hook(_Keeper(self._features, layer))
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, image_side, image_side))
        self.readers = nn.ModuleDict(
            {name: nn.Conv2d(output.shape[1], len(LABELS) + 1, 1) for name, output in self._features.items()}
        )

    def forward(self, batch: TrainingData) -> Tensor:
        """Return how wrong the layers were about the batch that `model` has just seen: a mean over layers."""
        losses = [
            _place_loss(reader(self._features[layer]), batch, self._image_side)
            for layer, reader in self.readers.items()
        ]
        return torch.stack(losses).mean()


class _Keeper:
    """Keeps the output of a layer."""

    def __init__(self, features: dict[str, Tensor], layer: str) -> None:
        self._features = features
        self._layer = layer

    def __call__(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self._features[self._layer] = output


def _place_loss(logits: Tensor, batch: TrainingData, image_side: int) -> Tensor:
    """Compare (B, labels + 1, S, S) with what lies at each place; shape and background weigh the same."""
    side = logits.shape[-1]
    cell = image_side / side
    places = (torch.arange(side) + 0.5) * cell
    low, high = batch.boxes[:, 0, :2], batch.boxes[:, 0, 2:]
    centre = (low + high) / 2
    reach = ((high - low) * _CORE).clamp(min=0.55 * cell)  # so that one place at least is the shape's
    within = (places[None, :, None] - centre[:, None]).abs() < reach[:, None]  # (B, S, x and y)
    core = within[:, :, None, 1] & within[:, None, :, 0]
    wanted = torch.where(core, batch.labels[:, 0, None, None] + 1, _BACKGROUND)
    losses = cross_entropy(logits, wanted, reduction="none")
    return losses[core].mean() + losses[~core].mean()
