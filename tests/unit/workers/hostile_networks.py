"""Networks that are valid files and do harm when they run: they crash, hang, grow, or only talk."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SIDE = 8
PREPROCESSING: dict[str, Any] = {
    "inputs": [
        {
            "tensor_name": "input",
            "image": {
                "dimension_order": "NCHW",
                "resize_type": "SQUASH",
                "target_size": f"{SIDE}x{SIDE}",
                "color_channels": "RGB",
            },
        }
    ],
    "batched_output": True,
}


class Crashing(nn.Module):
    """Divides an integer by zero, which the language leaves to the processor."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) + float(7 % (x.size(0) - x.size(0)))


class Hanging(nn.Module):
    """Never comes to an end."""

    def forward(self, x: Tensor) -> Tensor:
        while bool(x.numel() > 0):
            x = x * 1
        return x


class Growing(nn.Module):
    """Takes more and more memory."""

    def forward(self, x: Tensor) -> Tensor:
        kept = [x]
        while bool(x.numel() > 0):
            kept.append(x.flatten().repeat(200_000) * len(kept))
        return kept[0]


class Talking(nn.Module):
    """Prints what looks like an answer."""

    def forward(self, x: Tensor) -> Tensor:
        print("The network is not to be used.")
        return x.flatten(1)


def write(module: nn.Module, folder: Path) -> Path:
    """Write a network's file and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.script(module.eval()).save(str(folder / "model.torchscript"))
    return folder
