"""The detector behind `shapes-detector-v1`: a small anchor-free network with three scales.

Every location of three feature maps (strides 8, 16 and 32) votes for the labels at that place and for the
distances to the four sides of their box, as in FCOS (Tian et al., 2019, arXiv:1904.01355), without its
centre-ness branch. `demo.train_detector` trains it and exports `DetectorProgram`.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu
from torch.nn.utils.fusion import fuse_conv_bn_eval

from demo import LABELS

INPUT_SIDE = 192  # pixels
STRIDES = (8, 16, 32)
_PRIOR = 0.01  # the share of locations that hold something, before training
_MAX_CANDIDATES = 100  # per image


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation and ReLU, with an optional shortcut around the convolution."""

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1, shortcut: bool = False
    ) -> None:
        super().__init__()
        padding = (kernel - stride + 1) // 2
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) to (B, channels_out, H / stride, W / stride)."""
        result: Tensor = self.norm(self.convolution(features))
        return relu(result + features if self.shortcut else result)

    def fuse(self) -> None:
        """Fold the normalisation into the convolution's weights; for inference only."""
        self.convolution = fuse_conv_bn_eval(self.convolution, cast(nn.BatchNorm2d, self.norm))
        self.norm = nn.Identity()


class Detector(nn.Module):
    """Images (B, 3, 192, 192) to logits (B, N, labels) and boxes (B, N, 4), in pixels, xmin ymin xmax ymax.

    N is the number of locations over all three scales; `centres` (N, 2) and `strides` (N,) describe them.
    """

    centres: Tensor
    strides: Tensor

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        # One large-kerneled step to a quarter of the size: on a CPU, half the time of two small steps.
        self.stem = ConvolutionBlock(3, 32, kernel=8, stride=4)
        self.stages = nn.ModuleList([_stage(32, 48), _stage(48, 96), _stage(96, 128)])
        self.laterals = nn.ModuleList([nn.Conv2d(channels, width, 1) for channels in (48, 96, 128)])
        # One head a scale: with batch normalisation, a shared one would be trained with the statistics of each
        # scale and run with a blend of them, which hides large shapes.
        self.heads = nn.ModuleList([_head(width) for _ in STRIDES])
        self.labels = nn.Conv2d(width, len(LABELS), 1)
        self.distances = nn.Conv2d(width, 4, 1)
        nn.init.constant_(cast(Tensor, self.labels.bias), -torch.tensor(1 / _PRIOR - 1).log().item())
        nn.init.constant_(cast(Tensor, self.distances.bias), 0.5)
        centres, strides = _locations()
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("strides", strides, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        logits, distances = [], []
        for level, head in zip(self._pyramid(images), self.heads, strict=True):
            features = head(level)
            logits.append(self.labels(features).flatten(2))
            distances.append(self.distances(features).flatten(2))
        sides = torch.cat(distances, 2).transpose(1, 2).exp() * self.strides[:, None]
        boxes = torch.cat([self.centres - sides[..., :2], self.centres + sides[..., 2:]], dim=2)
        return torch.cat(logits, 2).transpose(1, 2), boxes

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        """Features of every scale, each with what the coarser ones know added to it; finest first."""
        features = self.stem(images)
        levels = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            features = stage(features)
            levels.append(lateral(features))
        for finer in range(len(levels) - 2, -1, -1):
            levels[finer] = levels[finer] + interpolate(levels[finer + 1], scale_factor=2.0)
        return levels


class DetectorProgram(nn.Module):
    """What is shipped: images in, the best candidates of each image out. Overlapping ones are left in.

    Returns `boxes` (B, 100, 4) in [0, 1] of the input, xmin ymin xmax ymax; `scores` (B, 100), decreasing;
    `classes` (B, 100), int64 label IDs.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector.eval()
        for module in detector.modules():
            if isinstance(module, ConvolutionBlock):
                module.fuse()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """See the class."""
        logits, boxes = self.detector(images)
        scores, flat = logits.sigmoid().flatten(1).topk(_MAX_CANDIDATES, dim=1)
        places = (flat // len(LABELS)).unsqueeze(2).expand(-1, -1, 4)
        return {
            "boxes": (boxes.gather(1, places) / INPUT_SIDE).clamp(0, 1),
            "scores": scores,
            "classes": flat % len(LABELS),
        }


def _stage(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        ConvolutionBlock(channels_in, channels_out, stride=2),
        ConvolutionBlock(channels_out, channels_out, shortcut=True),
    )


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(ConvolutionBlock(width, width), ConvolutionBlock(width, width, shortcut=True))


def _locations() -> tuple[Tensor, Tensor]:
    """Return the centres (N, 2), in pixels, and strides (N,) of all locations, in the order of the outputs."""
    centres, strides = [], []
    for stride in STRIDES:
        steps = torch.arange(stride / 2, INPUT_SIDE, stride)
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        centres.append(torch.stack([x, y], dim=2).reshape(-1, 2))
        strides.append(torch.full((len(steps) ** 2,), float(stride)))
    return torch.cat(centres), torch.cat(strides)
