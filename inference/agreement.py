"""Tells whether a network gives the same results under other circumstances: in a batch, or in another precision.

The warm-up asks before it lets a network be run that way.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def agree(results: Sequence[Mapping[str, Tensor]], references: Sequence[Mapping[str, Tensor]], bound: float) -> bool:
    """Tell whether each sample has the same tensors, of the same shapes, with values that differ by little.

    Args:
        results: the output tensors of each sample, by name.
        references: what they should be, sample by sample.
        bound: how far a value may be off, relative to the largest value of its tensor in ``references``.
    """
    return all(
        one.keys() == other.keys() and all(_are_close(one[name], other[name], bound) for name in one)
        for one, other in zip(results, references, strict=True)
    )


def _are_close(one: Tensor, other: Tensor, bound: float) -> bool:
    if one.shape != other.shape:
        return False
    one, other = one.to(torch.float64), other.to(torch.float64)
    tolerance = bound * float(other.abs().amax()) if other.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=tolerance, equal_nan=True)
