"""Puts the samples of a batch together where a GPU can fetch them by itself, and waits for the GPU without haste."""

from collections.abc import Sequence

import torch
from torch import Tensor


def stacked(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Return tensors of equal shapes as one, with a batch dimension before theirs.

    The order of the other dimensions in memory is that of the first tensor, so that pixels are copied row by row and
    not value by value. For a GPU, the memory is page-locked: only from there does a copy to it run beside everything
    else. It is on the device if a tensor is there already.

    Args:
        tensors: of equal shapes and types, on the CPU or the device.
        device: where the batch goes next.
    """
    first = tensors[0]
    on_gpu = device.type == "cuda"
    if len(tensors) == 1 and not on_gpu:
        return first[None]
    if any(tensor.is_cuda for tensor in tensors):
        tensors = [tensor.to(device, non_blocking=True) for tensor in tensors]
    strides = first.stride()
    order = sorted(range(first.ndim), key=lambda dimension: -strides[dimension])
    permuted = [tensor.permute(order) for tensor in tensors]
    if tensors[0].is_cuda or not on_gpu:
        batch = torch.stack(permuted)
    else:
        batch = torch.stack(permuted, out=_page_locked((len(tensors), *permuted[0].shape), first.dtype))
    return batch.permute(0, *(1 + order.index(dimension) for dimension in range(first.ndim)))


def _page_locked(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    try:
        return torch.empty(shape, dtype=dtype, pin_memory=True)
    except RuntimeError:  # the system locks no more
        return torch.empty(shape, dtype=dtype)


def wait_for(device: torch.device) -> None:
    """Return when the device has done what this thread's stream was given.

    The thread sleeps meanwhile. By itself, torch has it ask again and again, which takes a core from those that decode.
    """
    if device.type == "cuda":
        event = torch.cuda.Event(blocking=True)
        event.record(torch.cuda.current_stream(device))
        event.synchronize()
