"""Finds out, by running a new network, what it takes and returns and how many images it stands at once.

The workers call it when a network is deployed; what it reports is stored with the network, checked against the
post-processings that name its tensors, and limits its batches.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inference.errors import NetworkError
from inference.loaded_network import LoadedNetwork, Sample
from inference.network import ImageSpec, ResizeType
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE

Outputs = dict[str, Tensor]

# How far the results of a batch may be from those of its samples alone, relative to the largest value: well above what
# other algorithms for other batch sizes make of float16, well below what a network that mixes its samples makes.
BATCH_TOLERANCE = 0.05


def describe(network: LoadedNetwork, max_batch_size: int) -> dict[str, Any]:
    """Run a network on synthetic images, prepared as real ones are, and report what it takes and returns.

    Returns:
        ``{"inputs": [{"name", "shape", "dtype"}], "outputs": [...], "max_batch_size": int}``. Shapes have no batch
        dimension, and null for what varies with the content or the size of the image. ``max_batch_size`` is at most
        the one that was given, and 1 when the network takes no batches, or returns something else for a batch than
        for its samples.

    Raises:
        NetworkError: when the network fails on one image, or its outputs are not always the same.
    """
    first, second, *others = _samples(network)
    try:
        results = [network.run([sample])[0] for sample in (first, second, *others)]
    except torch.OutOfMemoryError as error:
        raise NetworkError("The device has not enough memory to run the network on one image.") from error
    names = [spec.tensor_name for spec in network.description.inputs]
    inputs = [dict(zip(names, sample, strict=True)) for sample in (first, second, *others)]
    return {
        "inputs": _tensors_of(inputs),
        "outputs": _tensors_of(results),
        "max_batch_size": _largest_batch(network, [first, second], results[:2], max_batch_size),
    }


def _samples(network: LoadedNetwork) -> list[Sample]:
    """Return samples of two contents and, when an input's size follows the image, one of another size."""
    specs = network.description.inputs
    generator = torch.Generator().manual_seed(0)
    shapes = [1.0, 1.0, 0.5] if any(spec.resize_type is ResizeType.NETWORK for spec in specs) else [1.0, 1.0]
    return [
        tuple(
            prepare_image(_noise(spec, flatness, generator), WHOLE_IMAGE, spec, network.mean_image(spec)).tensor
            for spec in specs
        )
        for flatness in shapes
    ]


def _noise(spec: ImageSpec, flatness: float, generator: torch.Generator) -> Tensor:
    height = max(1, int(spec.target_size.height * flatness))
    return torch.randint(0, 256, (3, height, spec.target_size.width), dtype=torch.uint8, generator=generator)


def _tensors_of(results: Sequence[Outputs]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": _common_shape(name, [result.get(name) for result in results]), "dtype": _dtype(tensor)}
        for name, tensor in results[0].items()
    ]


def _common_shape(name: str, tensors: Sequence[Tensor | None]) -> list[int | None]:
    """Return a shape with null where it varies; also where it is 0, which means that nothing was found this time."""
    shapes = {tuple(tensor.shape) if tensor is not None else None for tensor in tensors}
    ranks = {len(shape) if shape is not None else None for shape in shapes}
    if len(ranks) > 1:
        raise NetworkError(f"The network's output {name!r} is not always there with as many dimensions.")
    sizes = [set(column) for column in zip(*(shape for shape in shapes if shape is not None), strict=True)]
    return [column.pop() if len(column) == 1 and 0 not in column else None for column in sizes]


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _largest_batch(network: LoadedNetwork, pair: list[Sample], alone: Sequence[Outputs], maximum: int) -> int:
    """Return the largest batch that works, of ``maximum`` and its halves; 1 if already a batch of two does not."""
    if maximum < 2 or not network.description.batched_output:
        return 1
    batched = _run_or_none(network, pair)
    if batched is None or not _are_same(network, batched, alone):
        return 1
    size = maximum
    while size > 2 and _run_or_none(network, [pair[index % 2] for index in range(size)]) is None:
        size //= 2
    return size


def _run_or_none(network: LoadedNetwork, samples: Sequence[Sample]) -> list[Outputs] | None:
    try:
        return network.run(samples)
    except (NetworkError, torch.OutOfMemoryError):
        return None


def _are_same(network: LoadedNetwork, batched: Sequence[Outputs], alone: Sequence[Outputs]) -> bool:
    """Tell whether samples give in a batch what they give alone, up to rounding.

    Detectors that take a list of images go by image, and sort and cut what they find, where rounding shows: only the
    names of their outputs are compared.
    """
    for together, single in zip(batched, alone, strict=True):
        if together.keys() != single.keys():
            return False
        if not network.takes_image_list and not all(map(_are_close, together.values(), single.values())):
            return False
    return True


def _are_close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    one, other = one.to(torch.float64), other.to(torch.float64)
    tolerance = BATCH_TOLERANCE * float(other.abs().amax()) if other.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=tolerance, equal_nan=True)
