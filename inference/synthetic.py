"""Synthetic inputs of a network, prepared as real ones are, for whoever has to run it before a real one is there."""

from collections.abc import Iterator

import torch
from torch import Tensor

from inference.evidence.scenes import drawn_images
from inference.loaded_network import LoadedNetwork, Sample
from inference.network import ImageSpec, ResizeType
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE

_SEED = 0
_LEAST_ODD_SHARE = 0.6


def synthetic_samples(network: LoadedNetwork) -> list[Sample]:
    """Return samples of two contents and, when an input's size follows the image, one of another size."""
    specs = network.description.inputs
    generator = torch.Generator().manual_seed(_SEED)
    shapes = [1.0, 1.0, 0.5] if any(spec.resize_type is ResizeType.NETWORK for spec in specs) else [1.0, 1.0]
    return [tuple(_prepared(_noise(spec, flatness, generator), spec, network) for spec in specs) for flatness in shapes]


def drawn_samples(network: LoadedNetwork) -> Iterator[Sample]:
    """Return samples of drawn images, of the shapes of the first synthetic ones, as they are asked for."""
    specs = network.description.inputs
    drawings = [drawn_images(spec.target_size.width, spec.target_size.height) for spec in specs]
    for pixels in zip(*drawings, strict=True):
        yield tuple(_prepared(each, spec, network) for each, spec in zip(pixels, specs, strict=True))


def odd_samples(network: LoadedNetwork) -> list[Sample]:
    """Return samples whose sizes are multiples of nothing, upright and lying, if an input's size follows the image."""
    specs = network.description.inputs
    if not any(spec.resize_type is ResizeType.NETWORK for spec in specs):
        return []
    generator = torch.Generator().manual_seed(_SEED)
    return [
        tuple(_prepared(_odd_noise(spec, is_upright, generator), spec, network) for spec in specs)
        for is_upright in (False, True)
    ]


def _prepared(pixels: Tensor, spec: ImageSpec, network: LoadedNetwork) -> Tensor:
    as_pixels = network.normalises(spec)
    return prepare_image(pixels, WHOLE_IMAGE, spec, network.mean_image(spec), as_pixels=as_pixels).tensor


def _noise(spec: ImageSpec, flatness: float, generator: torch.Generator) -> Tensor:
    height = max(1, int(spec.target_size.height * flatness))
    return _noise_of(spec.target_size.width, height, generator)


def _odd_noise(spec: ImageSpec, is_upright: bool, generator: torch.Generator) -> Tensor:
    width, height = spec.target_size.width, spec.target_size.height
    if is_upright:
        return _noise_of(_prime_below(int(_LEAST_ODD_SHARE * width)), height, generator)
    return _noise_of(width, _prime_below(int(_LEAST_ODD_SHARE * height)), generator)


def _noise_of(width: int, height: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def _prime_below(limit: int) -> int:
    """Return the largest prime that is not above the limit; 1 if there is none."""
    candidates = range(limit, 1, -1)
    return next((each for each in candidates if all(each % factor for factor in range(2, int(each**0.5) + 1))), 1)
