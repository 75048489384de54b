"""Measures how far the answers of a network are from what they should be: in a batch, in another precision or form.

Numbers are compared element by element where both are finite; infinities and NaN have to be at equal places. What a
difference means depends on what is usual in that place: the scale is a median, which a mask value or one large constant
does not move.
"""

from collections.abc import Mapping, Sequence
from math import inf, nan

import torch
from torch import Tensor

from inference.evidence.rows import aligned_rows

Answer = Mapping[str, Tensor]

# Rounding errors of many numbers scatter: the largest of thousands is four to five times the typical one.
SPREAD = 5.0
LEAST_OCTAVES = 1.5  # channels whose scales differ by less hold numbers of one meaning
# A channel whose numbers are this much smaller than those of the others holds what rounding has left of a zero.
LEAST_SCALE = 1e-6
# Mask values are huge, and this many times the largest number that is none.
LEAST_MASK_VALUE = 1e4
MASK_GAP = 1e3
MOST_SCALE_ELEMENTS = 2**17  # so many tell the scale of a tensor as well as all of its millions
MOST_CHANNELS = 2**13


def agree(results: Sequence[Answer], references: Sequence[Answer], bound: float) -> bool:
    """Tell whether each sample has the same tensors, of the same shapes, with values that differ by little.

    Args:
        results: the output tensors of each sample, by name.
        references: what they should be, sample by sample.
        bound: the largest ``distance`` that a tensor may have.
    """
    return all(
        max(differences(one, other).values(), default=0.0) <= bound
        for one, other in zip(results, references, strict=True)
    )


def differences(result: Answer, reference: Answer) -> dict[str, float]:
    """Return the ``distance`` of each output tensor of a sample from what it should be; infinite if one is missing.

    Rows in the order of a score, as detectors return them, are matched first: rounding exchanges rows of nearly equal
    scores, and decides which are cut.
    """
    found = {
        name: distance(result[name], reference[name]) if name in result and name in reference else inf
        for name in (*reference, *(name for name in result if name not in reference))
    }
    if max(found.values(), default=0.0) > 0.0 and (rows := aligned_rows(result, reference)) is not None:
        ones, others = rows
        for name, one in ones.items():
            found[name] = min(found[name], distance(one, others[name]))
    return found


def distance(one: Tensor, other: Tensor) -> float:
    """Return how far a tensor is from what it should be: 0 if it is equal, 1 if it is off by as much as is usual there.

    That is the typical difference of its elements, or the largest one by ``SPREAD``, whichever is more, relative to the
    median magnitude of what it should be, channel by channel where it has places and channels. Of integers it is the
    share that differs. Infinite if the shapes differ, or the places of infinities and NaN.
    """
    if one.shape != other.shape or one.is_floating_point() != other.is_floating_point():
        return inf
    if not other.numel() or torch.equal(one, other):
        return 0.0
    if other.is_complex():
        return distance(torch.view_as_real(one), torch.view_as_real(other))
    if not other.is_floating_point():
        return float((one != other).double().mean())
    return _distance_of_numbers(one.double(), other.double())


def _distance_of_numbers(one: Tensor, other: Tensor) -> float:
    if not all(torch.equal(place(one), place(other)) for place in (torch.isnan, torch.isposinf, torch.isneginf)):
        return inf
    relative = ((one - other).abs() / torch.maximum(scale_of(other), other.abs()))[other.isfinite()]
    if not relative.numel():
        return 0.0
    relative = relative.nan_to_num(nan=0.0, posinf=inf)  # 0 / 0: both are zero
    return max(float(relative.median()), float(relative.max()) / SPREAD)


def scale_of(tensor: Tensor) -> Tensor:
    """Return the magnitude that is usual for the elements of a tensor, in a shape that broadcasts over it.

    It is the median of the magnitudes that are finite, not 0, and no mask values. A tensor of more dimensions may have
    places, and numbers of several meanings at each (x, y, width, height, score): there it is the median of each
    channel. Channels lie along the dimension whose slices differ most in scale.
    """
    magnitudes = tensor.abs()
    magnitudes = magnitudes.masked_fill(~magnitudes.isfinite() | (magnitudes == 0), nan)
    magnitudes = magnitudes.masked_fill(magnitudes >= _least_mask_value(magnitudes), nan)
    usual = _medians(magnitudes.reshape(1, -1))[0]
    if tensor.numel() == max(tensor.shape, default=1):
        return usual
    scales = {
        dimension: _medians(magnitudes.movedim(dimension, 0).flatten(1))
        for dimension, size in enumerate(tensor.shape)
        if 1 < size <= MOST_CHANNELS
    }
    dimension = max(scales, key=lambda each: _octaves(scales[each]), default=0)
    if not scales or _octaves(scales[dimension]) < LEAST_OCTAVES:
        return usual
    channels = scales[dimension]
    shape = [-1 if each == dimension else 1 for each in range(tensor.ndim)]
    return channels.clamp(min=LEAST_SCALE * float(_medians(channels[None])[0])).reshape(shape)


def _least_mask_value(magnitudes: Tensor) -> float:
    """Return the least magnitude that stands for "none": huge, and far beyond all that are smaller."""
    known = _some(magnitudes.reshape(1, -1))[0]
    known = known[~known.isnan()].sort().values
    is_far = (known[1:] >= LEAST_MASK_VALUE) & (known[1:] >= MASK_GAP * known[:-1])
    return float(known[1:][is_far].min()) if is_far.any() else inf


def _medians(slices: Tensor) -> Tensor:
    """Return the median of each row without its NaN; 0 for rows that hold nothing else."""
    return _some(slices).nanmedian(dim=1).values.nan_to_num(nan=0.0)


def _some(slices: Tensor) -> Tensor:
    return slices[:, :: max(1, slices.numel() // MOST_SCALE_ELEMENTS)]


def _octaves(scales: Tensor) -> float:
    """Return how far the scales of channels are apart: the standard deviation of their binary logarithms."""
    logarithms = scales[scales > 0].log2()
    return float(logarithms.std(correction=0)) if len(logarithms) else 0.0
