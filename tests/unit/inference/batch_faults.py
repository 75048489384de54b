"""Networks as users export them: some give other answers in a batch than alone, and some only look as if they did."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from inference.loaded_network import LoadedNetwork
from tests.unit.inference.seeded_networks import CPU, SIZE, description

EXAMPLE = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


def loaded(module: Callable[..., object], **options: object) -> LoadedNetwork:
    return LoadedNetwork(module, description(**options), CPU, weight_bytes=0)  # type: ignore[arg-type]


def traced(module: nn.Module, batch: Tensor = EXAMPLE) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a tracer warns of is what users overlook
        return torch.jit.trace(module.eval(), batch, check_trace=False).eval()  # type: ignore[no-any-return]


class Head(nn.Module):
    """Boxes in pixels and scores for a grid of places; ``bias`` decides how many of the scores are high."""

    def __init__(self, bias: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 5, 3, stride=4))
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        found = self.features(x).flatten(2).transpose(1, 2)
        corners = SIZE * found[..., :2].sigmoid()
        sizes = SIZE * found[..., 2:4].sigmoid()
        scores = (8 * found[..., 4:] + self.bias).sigmoid()
        return torch.cat([corners, corners + sizes, scores], 2)


class LoopOverBatch(nn.Module):
    """Keeps the best boxes image by image, as exporters with suppression do: a tracer unrolls the loop."""

    def __init__(self, head: Head, threshold: float = 0.5) -> None:
        super().__init__()
        self.head, self.threshold = head, threshold

    def forward(self, x: Tensor) -> Tensor:
        predictions = self.head(x)
        kept = predictions.new_zeros(x.shape[0], 8, 5)
        for index in range(x.shape[0]):
            rows = predictions[index]
            rows = rows[rows[:, 4] > self.threshold]
            rows = rows[rows[:, 4].argsort(descending=True)][:8]
            kept[index, : rows.shape[0]] = rows
        return kept


class SortedRows(nn.Module):
    """Keeps the best boxes of all images at once, the right way."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        predictions = self.head(x)
        scores, order = predictions[..., 4].topk(8)
        return predictions[..., :4].gather(1, order[..., None].expand(-1, -1, 4)), scores


class Scores(nn.Module):
    """Four scores of an image, and whatever ``change`` makes of those of a batch."""

    def __init__(self, change: Callable[[Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classify = nn.Linear(8, 4)
        self.change = change

    def forward(self, x: Tensor) -> object:
        return self.change(self.classify(self.features(x)))


def with_column(scores: Tensor, value: float) -> Tensor:
    return torch.cat([scores, torch.full_like(scores[:, :1], value)], 1)
