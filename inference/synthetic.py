"""Synthetic inputs of a network, prepared as real ones are, for whoever has to run it before a real one is there."""

import torch
from torch import Tensor

from inference.loaded_network import LoadedNetwork, Sample
from inference.network import ImageSpec, ResizeType
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE

_SEED = 0


def synthetic_samples(network: LoadedNetwork) -> list[Sample]:
    """Return samples of two contents and, when an input's size follows the image, one of another size."""
    specs = network.description.inputs
    generator = torch.Generator().manual_seed(_SEED)
    shapes = [1.0, 1.0, 0.5] if any(spec.resize_type is ResizeType.NETWORK for spec in specs) else [1.0, 1.0]
    return [tuple(_prepared(_noise(spec, flatness, generator), spec, network) for spec in specs) for flatness in shapes]


def _prepared(pixels: Tensor, spec: ImageSpec, network: LoadedNetwork) -> Tensor:
    as_pixels = network.normalises(spec)
    return prepare_image(pixels, WHOLE_IMAGE, spec, network.mean_image(spec), as_pixels=as_pixels).tensor


def _noise(spec: ImageSpec, flatness: float, generator: torch.Generator) -> Tensor:
    height = max(1, int(spec.target_size.height * flatness))
    return torch.randint(0, 256, (3, height, spec.target_size.width), dtype=torch.uint8, generator=generator)
