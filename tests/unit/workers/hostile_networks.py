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
    """Writes to memory that is not its own: an operator for torch's own use, which checks nothing."""

    def forward(self, x: Tensor) -> Tensor:
        values = torch.empty(0)
        indices = torch.empty(0, dtype=torch.long)
        torch._cummax_helper(x.flatten().repeat(100_000), values, indices, 0)
        return x.flatten(1) + values.sum()


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
