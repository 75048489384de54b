"""Gives names to whatever a network returns, and takes its batch apart.

What is no tensor with a row for each sample, such as a loss that is None, a number or a list of features, is left out
with a reason. Used by :class:`inference.loaded_network.LoadedNetwork` after each batch.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from inference.errors import NetworkError

SINGLE_OUTPUT = "output"

Rows = list[dict[str, Tensor]]


def split_outputs(
    output: object, batch_size: int, names: Sequence[str] | None, kept: Collection[str] | None = None
) -> tuple[Rows, dict[str, str]]:
    """Return one dict of CPU tensors for each sample of a batch, by name and without batch dimension, and what is not.

    Args:
        output: what the network returned: a tensor, a tuple or list, a dict, a list of one dict for each sample
            (torchvision's detectors), or a tuple of losses and such a list (the same, scripted).
        batch_size: how many samples the network was given.
        names: the names of a tuple's elements in order, or of a single tensor; None for the default ones.
        kept: the outputs that are wanted, which must be tensors; None for all that are.

    Returns:
        The samples, and what was left out: by the name of an output, what is wrong with it, after "The output".

    Raises:
        NetworkError: when nothing is left, or not all that ``names`` or ``kept`` ask for; or when the output does not
            hold one result for each sample.
    """
    samples = _dicts_of_samples(output)
    if samples is None:
        usable, left_out = _sorted_out(_named(output, names), names, kept, batch_size)
        columns = [torch.unbind(tensor) for tensor in usable.values()]
        return [dict(zip(usable, row, strict=True)) for row in zip(*columns, strict=True)], left_out
    if len(samples) != batch_size:
        raise NetworkError(f"The network returned {len(samples)} results for {batch_size} images.")
    _check_keys(samples[0], names)
    rows, left_out = [], {}
    for sample in samples:
        usable, unusable = _sorted_out({str(name): value for name, value in sample.items()}, names, kept, None)
        rows.append(usable)
        left_out |= unusable
    return rows, left_out


def only(output: object, names: Sequence[str] | None, kept: Collection[str]) -> object:
    """Return an output with nothing in it but what is kept, by name; one that is a list of dicts as it is.

    Args:
        output: what the network returned.
        names: as above.
        kept: as above.
    """
    if _dicts_of_samples(output) is not None:
        return output
    return {name: value for name, value in _named(output, names).items() if name in kept}


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


def _check_keys(keys: Iterable[str], names: Sequence[str] | None) -> None:
    for name in names or ():
        if name not in keys:
            raise NetworkError(f"The postprocessings name a tensor {name!r} that the network does not return.")


def _sorted_out(
    values: Mapping[str, object], names: Sequence[str] | None, kept: Collection[str] | None, batch_size: int | None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors on the CPU, and why the others are none; one dict of samples has no batch dimension."""
    usable: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    for name, value in values.items():
        if kept is not None and name not in kept:
            continue
        if isinstance(value, Tensor) and (batch_size is None or _is_batch(value, batch_size)):
            usable[name] = value.detach().to("cpu")
        else:
            left_out[name] = _flaw(value, batch_size)
    asked_for = left_out.keys() & set((names or ()) if kept is None else kept)
    if asked_for or not usable:
        for name in (name for name in left_out if name in asked_for or not usable):
            raise NetworkError(f"The network's output {name!r} {left_out[name]}.")
        raise NetworkError("The network returns nothing.")
    return usable, left_out


def _is_batch(tensor: Tensor, batch_size: int) -> bool:
    return tensor.ndim > 0 and tensor.shape[0] == batch_size


def _flaw(value: object, batch_size: int | None) -> str:
    if isinstance(value, Tensor):
        return f"has shape {list(value.shape)}, whose first dimension is not the batch of {batch_size}"
    if value is None:
        return "is not a tensor but None"
    if isinstance(value, Mapping | tuple | list):
        kind = "dict" if isinstance(value, Mapping) else "tuple" if isinstance(value, tuple) else "list"
        return f"is not a tensor but a {kind} of {len(value)}"
    return f"is not a tensor but of type {type(value).__name__}"
