"""The networks that every contender runs: torchvision's, with seeded weights, as model folders."""

import json
from pathlib import Path
from typing import Any

import torch
import torchvision
from safetensors.torch import save_file

LABEL_COUNT = 1000
BUILDERS = {"ResNet-50": "resnet50", "MobileNetV3-small": "mobilenet_v3_small"}

PREPROCESSING: dict[str, Any] = {
    "inputs": [
        {
            "tensor_name": "image",
            "image": {
                "dimension_order": "NCHW",
                "resize_type": "SQUASH",
                "target_size": "224x224",
                "color_channels": "RGB",
                "pixel_scaling": 1.0,
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
            },
        }
    ],
    "batched_output": True,
    "precision": "auto",
}


def build_network(builder: str) -> torch.nn.Module:
    """Return the network of a torchvision builder with seeded weights, ready to infer."""
    torch.manual_seed(0)
    network: torch.nn.Module = torchvision.models.get_model(builder, weights=None)
    return network.eval()


def write_model_folder(builder: str, folder: Path, *, decoding: str = "EXACT") -> None:
    """Write the network of a builder as a folder that ``recoq push`` takes."""
    [network_input] = PREPROCESSING["inputs"]
    image = {**network_input["image"], "decoding": decoding}
    preprocessing = {**PREPROCESSING, "inputs": [{**network_input, "image": image}]}
    folder.mkdir(parents=True)
    save_file(build_network(builder).state_dict(), folder / "weights.safetensors")
    (folder / "architecture.json").write_text(json.dumps({"builder": builder}))
    labels = [{"id": index, "name": f"label {index}"} for index in range(LABEL_COUNT)]
    model = {
        "name": builder,
        "description": "",
        "metadata": {},
        "framework": "pytorch-2.x",
        "preprocessing": preprocessing,
        "outputs": [{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}],
        "post_processings": [{"classification": {"output_tensor": "output"}}],
    }
    (folder / "model.json").write_text(json.dumps(model))
