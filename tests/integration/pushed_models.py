"""Small networks with seeded weights, and how tests bring them to a service: upload, specification, version."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from tests.integration.tasks import ended_task

Json = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """All that a service is told of a network and of what it recognises."""

    files: Mapping[str, bytes]
    inputs: Sequence[Json]
    outputs: Sequence[Json] = ()
    post_processings: Sequence[Json] = ()
    tensor_names: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Pushed:
    """Where a model can be asked."""

    network_id: int
    spec_id: int | None

    @property
    def tensors_path(self) -> str:
        return f"/networks/{self.network_id}/inference"

    @property
    def labels_path(self) -> str:
        return f"/recognition/specs/{self.spec_id}/inference"


def push(http: httpx.Client, model: Model) -> Pushed:
    """Create the network, wait for its deployment, and make its specification and version if it has outputs."""
    names = [{"tensors_output": {"tensors": list(model.tensor_names)}}] if model.tensor_names else []
    fields = {
        "name": "seeded network",
        "framework": "pytorch-2.x",
        "preprocessing": json.dumps({"inputs": list(model.inputs)}),
        "postprocessings": json.dumps(names),
    }
    created = http.post("/networks", data=fields, files=dict(model.files))
    task = ended_task(http, created)
    assert task["status"] == "success", task["error"]
    network_id = created.json()["id"]
    if not model.outputs:
        return Pushed(network_id, None)
    spec_id = _create(http, "/recognition/specs", name="seeded", outputs=model.outputs)
    _create(
        http,
        "/recognition/versions",
        spec_id=spec_id,
        network_id=network_id,
        post_processings=model.post_processings,
    )
    return Pushed(network_id, spec_id)


def _create(http: httpx.Client, path: str, **fields: Any) -> int:
    response = http.post(path, json=fields)
    assert response.status_code == 201, response.text
    created: int = response.json()["id"]
    return created


def image_input(name: str = "image", **image: Any) -> Json:
    """Return an element of ``preprocessing.inputs``: RGB, scaled to [0, 1], unless ``image`` says otherwise."""
    defaults = {"dimension_order": "NCHW", "color_channels": "RGB", "pixel_scaling": 1.0, "resize_type": "SQUASH"}
    return {"tensor_name": name, "image": {**defaults, **image}}


def labels(count: int, *, exclusive: bool = True, roi: str = "NONE", first_id: int = 0) -> Json:
    """Return an output of a specification with ``count`` labels."""
    ids = range(first_id, first_id + count)
    return {
        "labels": {
            "labels": [{"id": each, "name": f"label {each}"} for each in ids],
            "exclusive": exclusive,
            "roi": roi,
        }
    }


def settled(builder: str, **kwargs: Any) -> nn.Module:
    """Return a model whose weights and normalisation are random but sane: its outputs differ from image to image.

    Fresh weights let the activations of deep networks explode, and every score would be 0 or 1. One pass in training
    mode measures what normalisation layers need to prevent that.
    """
    torch.manual_seed(20)
    model: nn.Module = get_model(builder, weights=None, **kwargs)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # average over the one pass, not a tenth of it
    with torch.no_grad():
        model.train()(torch.rand(16, 3, 96, 96))
    return model.eval()


def state_files(model: nn.Module, builder: str, **kwargs: Any) -> dict[str, bytes]:
    """Return the files of a network that is given as a state dict."""
    return {
        "weights.safetensors": safetensors.torch.save(model.state_dict()),
        "architecture.json": json.dumps({"builder": builder, "kwargs": kwargs}).encode(),
    }


def file_of(path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes()}


class TwoHeads(nn.Module):
    """A network that returns a tuple: logits of five labels that exclude each other, and of four that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.kind = nn.Linear(128, 5)
        self.tags = nn.Linear(128, 4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(image)
        return self.kind(features) * 20, self.tags(features) * 20


class TwoImages(nn.Module):
    """A network that compares a colour image with a smaller gray one."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Sequential(nn.Conv2d(3, 6, 5, stride=4), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.gray = nn.Sequential(nn.Conv2d(1, 6, 5, stride=4), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(192, 3)

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        return self.head(torch.cat([self.colour(image), self.gray(other)], dim=1)) * 10


def seeded(network: type[nn.Module]) -> nn.Module:
    torch.manual_seed(21)
    return network().eval()
