"""Records what a network does on a GPU, once for each batch size, and replays it.

To tell a GPU what to do, operation by operation, takes the interpreter longer than the GPU takes to do it, unless
batches are large, and on a busy worker the threads that decode images take the interpreter away in between. A recording
(a CUDA graph) is started in one call. The tuning tries it, and does not choose what changes the results.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from inference.errors import reason_of

logger = logging.getLogger(__name__)

Forward = Callable[..., object]

WARM_UPS = 3  # TorchScript watches two runs and compiles in the third; libraries choose their algorithms in the first

_one_at_a_time = threading.Lock()  # a process can have one recording under way
_failed: list[torch.cuda.CUDAGraph] = []  # kept, because torch's allocators go on asking them what is theirs


@dataclass(frozen=True)
class _Recording:
    """``inputs`` are read and ``outputs`` written by each replay, at the same addresses."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: Any


class Recordings:
    """The recordings of one network; for inputs of one shape, that of the first batch.

    Batches of other sizes than powers of two are filled up to the next one with zeros. ``forward`` runs the network on
    tensors on the device, one for each input; it is given with each batch and not kept, so that a network that leaves
    gives its memory back at once and not when cycles are looked for.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()  # one for all sizes, because only one runs at a time
        self._by_size: dict[int, _Recording | None] = {}
        self._layout: list[tuple[torch.Size, torch.dtype]] | None = None
        self._lock = threading.Lock()
        self.nbytes = 0

    def record(self, forward: Forward, batch: Sequence[Tensor]) -> bool:
        """Record a batch of this size, if that has not been tried; tell whether there is a recording of it.

        Raises:
            torch.OutOfMemoryError: if the device has not enough memory for it now.
        """
        with self._lock:
            return self._of(forward, batch) is not None

    def run(self, forward: Forward, batch: Sequence[Tensor]) -> object:
        """Return the outputs for a batch, on the device: replayed, or run where it could not be recorded.

        Args:
            forward: see above.
            batch: one tensor for each input, in page-locked memory of the CPU or on the device.

        Raises:
            Exception: whatever the network raises.
        """
        with self._lock:
            recording = self._of(forward, batch)
            if recording is not None:
                return _replay(recording, batch)
        return forward(*(tensor.to(self._device, non_blocking=True) for tensor in batch))

    def _of(self, forward: Forward, batch: Sequence[Tensor]) -> _Recording | None:
        layout = [(tensor.shape[1:], tensor.dtype) for tensor in batch]
        self._layout = self._layout or layout
        if layout != self._layout:
            return None
        size = size_for(len(batch[0]))
        if size not in self._by_size:
            self._by_size[size] = self._recorded(forward, batch, size)
            self.nbytes = self._counted()
        return self._by_size[size]

    def _recorded(self, forward: Forward, batch: Sequence[Tensor], size: int) -> _Recording | None:
        """Return a recording; None if there is none to be had: many a network asks the CPU on its way."""
        inputs = [_room_for(tensor, size, self._device) for tensor in batch]
        for room, tensor in zip(inputs, batch, strict=True):
            room[: len(tensor)].copy_(tensor)
        graph, stream, begun = torch.cuda.CUDAGraph(), _recording_stream(self._device), False
        with _one_at_a_time:
            stream.wait_stream(torch.cuda.current_stream(self._device))
            try:
                # The stream is left also when the end of a failed recording fails, which keeps it.
                with torch.cuda.stream(stream):
                    for _ in range(WARM_UPS):
                        forward(*inputs)
                    with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
                        begun = True
                        outputs = forward(*inputs)
            except torch.OutOfMemoryError:  # another time there may be enough
                self._clean_up(graph, begun=begun)
                raise
            except Exception as error:  # a network is a program, and the device refuses in many ways: it runs as it is
                self._clean_up(graph, begun=begun)
                logger.info("A batch of %d could not be recorded: %s", size, reason_of(error))
                return None
            finally:
                torch.cuda.current_stream(self._device).wait_stream(stream)
        return _Recording(graph, inputs, outputs) if are_tensors(outputs) else None

    def _clean_up(self, graph: torch.cuda.CUDAGraph, *, begun: bool) -> None:
        """End a recording that has failed for the allocator as well.

        torch forgets that when the end of a recording fails, and would give no memory back to the device any more.
        """
        if not begun:
            return
        _failed.append(graph)
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        for end in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
            with suppress(RuntimeError):  # where torch did not forget it
                end(index, self._pool)

    def _counted(self) -> int:
        segments = torch.cuda.memory_snapshot()
        pool = sum(each["total_size"] for each in segments if tuple(each["segment_pool_id"]) == tuple(self._pool))
        known = [recording for recording in self._by_size.values() if recording is not None]
        return int(pool) + sum(room.nbytes for recording in known for room in recording.inputs)


@cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """Return one for all recordings of a device: libraries keep work space for each stream that they have seen."""
    return torch.cuda.Stream(device)


def size_for(count: int) -> int:
    """Return the size of the recording for so many samples: the next power of two."""
    return 1 << (count - 1).bit_length()


def _room_for(tensor: Tensor, size: int, device: torch.device) -> Tensor:
    """Return memory on the device for ``size`` samples like those of ``tensor``, which lie in the same order there."""
    strides = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda dimension: -strides[dimension])
    shape = (size, *tensor.shape[1:])
    room = torch.zeros([shape[dimension] for dimension in order], dtype=tensor.dtype, device=device)
    return room.permute([order.index(dimension) for dimension in range(tensor.ndim)])


def _replay(recording: _Recording, batch: Sequence[Tensor]) -> object:
    count, size = len(batch[0]), len(recording.inputs[0])
    for room, tensor in zip(recording.inputs, batch, strict=True):
        room[:count].copy_(tensor, non_blocking=True)
        if count < size:
            room[count:].zero_()
    recording.graph.replay()
    return own(recording.outputs, count, size)


def own(outputs: Any, count: int, size: int) -> Any:
    """Return outputs that the next replay leaves alone, without those of the samples that filled the batch up."""
    if isinstance(outputs, Tensor):
        is_batch = outputs.ndim > 0 and len(outputs) == size
        return (outputs[:count] if is_batch else outputs).clone()
    if isinstance(outputs, Mapping):
        return {name: own(value, count, size) for name, value in outputs.items()}
    return tuple(own(value, count, size) for value in outputs)


def are_tensors(outputs: object) -> bool:
    """Tell whether outputs are of the forms that ``own`` knows."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    return all(isinstance(each, Tensor) for each in (outputs if isinstance(outputs, tuple | list) else [outputs]))
