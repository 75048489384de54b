"""What every contender works on: seeded JPEGs of one size, and networks with seeded weights as model folders."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

WIDTH, HEIGHT = 640, 480
IMAGE_COUNT = 64
JPEG_QUALITY = 90
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


def jpegs() -> list[bytes]:
    """Return photo-like images: smooth shapes with fine noise, about 100 kB each."""
    random = np.random.default_rng(0)
    return [_jpeg(random) for _ in range(IMAGE_COUNT)]


def _jpeg(random: np.random.Generator) -> bytes:
    coarse = Image.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse, np.int16) + random.integers(-12, 12, (HEIGHT, WIDTH, 3), np.int16)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


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
