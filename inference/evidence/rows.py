"""Matches the rows of two lists of detections, so that their values can be compared.

Detectors sort what they find by score and cut the list, by a threshold, by a number, or by overlap. Rounding exchanges
rows of nearly equal scores, and decides which of those at a limit are in the list. Rows are matched by all that they
hold, which is label, box and score, under whatever names and in whatever layout.
"""

from collections.abc import Mapping
from math import inf

import torch
from torch import Tensor

Outputs = Mapping[str, Tensor]

NEAR = 0.5  # rows further apart than half of what is usual for a number are not the same detection
MOST_ROWS = 2048
MOST_COLUMNS = 64  # of a tensor with more numbers in a row, a mask say, rows are not told by it
CUT_SHARE = 0.02  # so many rows may be without a match, for overlaps at their limit
ROWS_BEFORE_LAST = 3  # and the last one, for scores at their limit, if so many others have a match


def aligned_rows(one: Outputs, other: Outputs) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
    """Return the tensors that hold the rows, of both answers, with only the matched rows, in one order.

    None if the answers hold no list in the order of a score, or not the same rows.
    """
    names = _names_of_rows(one, other)
    if not names:
        return None
    one_rows, other_rows = ({name: answer[name] for name in names} for answer in (one, other))
    one_rows, other_rows = _without_padding(one_rows), _without_padding(other_rows)
    if max(_length(one_rows), _length(other_rows)) > MOST_ROWS:
        return None
    pairs = _pairs(_gaps(one_rows, other_rows))
    if not _is_enough(pairs, _length(one_rows), _length(other_rows)):
        return None
    order, other_order = pairs.unbind(1)
    return (
        {name: tensor[order] for name, tensor in one_rows.items()},
        {name: tensor[other_order] for name, tensor in other_rows.items()},
    )


def _names_of_rows(one: Outputs, other: Outputs) -> list[str]:
    """Return the names of the tensors with one row for each detection; none if there is no list in order."""
    common = [name for name in other if name in one and one[name].shape[1:] == other[name].shape[1:]]
    for name in common:
        if not (one[name].ndim and _descending_columns(one[name]) & _descending_columns(other[name])):
            continue
        lengths = len(one[name]), len(other[name])
        return [each for each in common if one[each].ndim and (len(one[each]), len(other[each])) == lengths]
    return []


def _descending_columns(rows: Tensor) -> set[int]:
    if rows.ndim > 2 or not rows.is_floating_point() or rows[:1].numel() > MOST_COLUMNS:
        return set()
    columns = _columns(rows)
    is_descending = (columns[1:] <= columns[:-1]).all(0)
    if len(rows) > 1:
        is_descending &= columns[0] > columns[-1]  # a constant is no score
    return set(is_descending.nonzero().flatten().tolist())


def _columns(rows: Tensor) -> Tensor:
    return rows[:, None].flatten(1)


def _length(rows: Outputs) -> int:
    return len(next(iter(rows.values())))


def _without_padding(rows: Outputs) -> dict[str, Tensor]:
    """Leave out the rows at the end that are all the same, with which lists are filled up."""
    length = _length(rows)
    is_last = torch.ones(length, dtype=torch.bool)
    for tensor in rows.values():
        if length:
            is_last &= _columns(tensor == tensor[-1]).all(1)
    others = (~is_last).nonzero()
    kept = int(others[-1]) + 1 if len(others) else 0
    kept = length if length - kept == 1 else kept  # a single one is a detection
    return {name: tensor[:kept] for name, tensor in rows.items()}


def _gaps(one: Outputs, other: Outputs) -> Tensor:
    """Return how far each row of one is from each of the other; infinite where a label or another integer differs."""
    gaps = torch.zeros(_length(one), _length(other), dtype=torch.float64)
    for name, tensor in one.items():
        if tensor[:1].numel() > MOST_COLUMNS:
            continue
        ours, theirs = _columns(tensor), _columns(other[name])
        for column in range(ours.shape[1]):
            gaps = torch.maximum(gaps, _gaps_of(ours[:, column], theirs[:, column]))
    return gaps


def _gaps_of(ours: Tensor, theirs: Tensor) -> Tensor:
    if not ours.is_floating_point():
        return torch.zeros((), dtype=torch.float64).masked_fill(ours[:, None] != theirs, inf)
    ours, theirs = ours.double(), theirs.double()
    usual = theirs.abs().nanmedian() if len(theirs) else torch.tensor(0.0)
    gaps = (ours[:, None] - theirs).abs() / torch.maximum(theirs.abs(), usual)
    return gaps.nan_to_num(nan=0.0, posinf=inf)


def _pairs(gaps: Tensor) -> Tensor:
    """Return the numbers of rows that belong together, nearest first: each at most once."""
    near = (gaps <= NEAR).nonzero()
    order = gaps[near[:, 0], near[:, 1]].argsort(stable=True)
    taken: tuple[set[int], set[int]] = set(), set()
    pairs = []
    for row, other_row in near[order].tolist():
        if row not in taken[0] and other_row not in taken[1]:
            taken[0].add(row)
            taken[1].add(other_row)
            pairs.append((row, other_row))
    return torch.tensor(sorted(pairs, key=lambda pair: pair[1]), dtype=torch.int64).reshape(-1, 2)


def _is_enough(pairs: Tensor, length: int, other_length: int) -> bool:
    """Tell whether the rows without a match are few enough for rounding to be the reason."""
    left_out = max(length, other_length) - len(pairs)
    if left_out == 1 and len(pairs) >= ROWS_BEFORE_LAST:
        longer, column = (length, 0) if length >= other_length else (other_length, 1)
        return longer - 1 not in pairs[:, column].tolist() or left_out <= CUT_SHARE * longer
    return left_out <= CUT_SHARE * max(length, other_length)
