"""Small networks with seeded weights, and the files that a user would upload of them."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from inference.network import NetworkDescription

CPU = torch.device("cpu")
SIZE = 32
CLASSIFIER = "squeezenet1_1"
CLASSIFIER_KWARGS = {"num_classes": 5}
DETECTOR = "ssdlite320_mobilenet_v3_large"
DETECTOR_KWARGS: dict[str, Any] = {
    "num_classes": 4,
    "score_thresh": 0.0,
    "topk_candidates": 20,
    "detections_per_img": 8,
}
WEIGHT_SETS = ["model.pt2", "model.torchscript", "weights.safetensors", "weights.pth"]


def description(
    count: int = 1,
    *,
    names: list[str] | None = None,
    batched: bool = True,
    precision: str = "float32",
    max_batch_size: int | None = None,
    **image: Any,
) -> NetworkDescription:
    defaults = {
        "dimension_order": "NCHW",
        "resize_type": "SQUASH",
        "target_size": str(SIZE),
        "color_channels": "RGB",
        "pixel_scaling": 1.0,
    }
    inputs = [{"tensor_name": f"input_{index}", "image": {**defaults, **image}} for index in range(count)]
    postprocessings = [{"tensors_output": {"tensors": names}}] if names else []
    preprocessing = {
        "inputs": inputs,
        "batched_output": batched,
        "precision": precision,
        "max_batch_size": max_batch_size,
    }
    return NetworkDescription.from_json(preprocessing, postprocessings)


def classifier(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = get_model(CLASSIFIER, weights=None, **CLASSIFIER_KWARGS)
    return model.eval()


def detector(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = get_model(DETECTOR, weights=None, weights_backbone=None, **DETECTOR_KWARGS)
    return model.eval()


def images(count: int, size: int = SIZE) -> list[Tensor]:
    return list(torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(7)))


def write_state(model: nn.Module, folder: Path, name: str, builder: str, kwargs: dict[str, Any]) -> None:
    if name == "weights.pth":
        torch.save(model.state_dict(), folder / name)
    else:
        safetensors.torch.save_file(model.state_dict(), folder / name)
    (folder / "architecture.json").write_text(json.dumps({"builder": builder, "kwargs": kwargs}))


def write_script(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated; what users scripted before has to load
        torch.jit.script(module).save(str(path))


def write_program(module: nn.Module, path: Path, *inputs: Tensor, largest_batch: int = 64) -> None:
    dynamic = None
    if largest_batch > 1:
        batch = torch.export.Dim("batch", min=1, max=largest_batch)
        dynamic = tuple({0: batch} for _ in inputs)
    torch.export.save(torch.export.export(module.eval(), inputs, dynamic_shapes=dynamic), path)


def rewrite_archive(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the entries of a zip archive, named without its root folder."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
        entries = {name.removeprefix(root + "/"): archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.removeprefix("//") if name.startswith("//") else f"{root}/{name}", content)


def saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()
