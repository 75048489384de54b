"""Gives names to whatever a network returns, and takes its batch apart.

Used by :class:`inference.loaded_network.LoadedNetwork` after each batch.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from inference.errors import NetworkError

SINGLE_OUTPUT = "output"


def split_outputs(output: object, batch_size: int, names: Sequence[str] | None) -> list[dict[str, Tensor]]:
    """Return one dict of CPU tensors for each sample of a batch, by tensor name and without batch dimension.

    Args:
        output: what the network returned: a tensor, a tuple or list of tensors, a dict of tensors, a list of
            one dict for
            each sample (torchvision's detectors), or a tuple of losses and such a list (the same, scripted).
        batch_size: how many samples the network was given.
        names: the names of a tuple's tensors in order, or of a single tensor; None for the default ones.

    Raises:
        NetworkError: when the output has another form, or does not hold one result for each sample.
    """
    samples = _dicts_of_samples(output)
    if samples is None:
        batch = {name: _on_cpu(name, value) for name, value in _named(output, names).items()}
        return _unbatch(batch, batch_size)
    if len(samples) != batch_size:
        raise NetworkError(f"The network returned {len(samples)} results for {batch_size} images.")
    _check_keys(samples[0], names)
    return [{str(name): _on_cpu(name, value) for name, value in sample.items()} for sample in samples]


def _dicts_of_samples(output: object) -> Sequence[Mapping[str, object]] | None:
    if (
        isinstance(output, tuple)
        and len(output) == 2
        and isinstance(output[0], Mapping)
        and isinstance(output[1], list)
    ):
        output = output[1]
    if isinstance(output, list) and output and all(isinstance(element, Mapping) for element in output):
        return output
    return None


def _named(output: object, names: Sequence[str] | None) -> dict[str, object]:
    if isinstance(output, Mapping):
        _check_keys(output, names)
        return {str(name): value for name, value in output.items()}
    values = list(output) if isinstance(output, tuple | list) else [output]
    if names is None:
        is_single = not isinstance(output, tuple | list)
        names = [SINGLE_OUTPUT] if is_single else [f"{SINGLE_OUTPUT}_{index}" for index in range(len(values))]
    if len(names) != len(values):
        raise NetworkError(f"The postprocessings name {len(names)} tensors, and the network returns {len(values)}.")
    return dict(zip(names, values, strict=True))


def _check_keys(keys: Mapping[str, object], names: Sequence[str] | None) -> None:
    for name in names or ():
        if name not in keys:
            raise NetworkError(f"The postprocessings name a tensor {name!r} that the network does not return.")


def _on_cpu(name: str, value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise NetworkError(f"The network's output {name!r} is not a tensor.")
    return value.detach().to("cpu")


def _unbatch(batch: Mapping[str, Tensor], batch_size: int) -> list[dict[str, Tensor]]:
    for name, tensor in batch.items():
        if tensor.ndim == 0 or tensor.shape[0] != batch_size:
            raise NetworkError(
                f"The network's output {name!r} has shape {list(tensor.shape)},"
                f" whose first dimension is not the batch of {batch_size}."
            )
    columns = [torch.unbind(tensor) for tensor in batch.values()]
    return [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]
