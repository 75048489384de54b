"""A network that does next to nothing, for what is to be measured beside inference."""

import json
import warnings
from pathlib import Path

import torch

from benchmarks.workload import PREPROCESSING

SIDE = 8


def write_idle_network(folder: Path) -> Path:
    """Write one pooling layer as a model folder, and return the folder."""
    folder.mkdir(parents=True)
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and has the least overhead of its own
        torch.jit.script(network).save(str(folder / "model.torchscript"))
    preprocessing = json.loads(json.dumps(PREPROCESSING))
    preprocessing["inputs"][0]["image"]["target_size"] = f"{SIDE}x{SIDE}"
    labels = [{"id": index, "name": f"channel {index}"} for index in range(3)]
    model = {
        "name": "nothing",
        "description": "",
        "metadata": {},
        "framework": "pytorch-2.x",
        "preprocessing": preprocessing,
        "outputs": [{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}],
        "post_processings": [{"classification": {"output_tensor": "output"}}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder
