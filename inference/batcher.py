"""Continuous batching: when the device becomes free, it takes what waits for one network, oldest first.

No artificial delay: a lone sample starts at once, and a busy device fills its batches by itself, because samples that
arrive meanwhile wait. Samples of one batch have equal shapes, so that an answer never depends on its companions.
The worker's threads submit prepared samples here and wait for their futures.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic, perf_counter
from typing import Protocol
from weakref import WeakKeyDictionary

import torch

from inference.errors import DeviceLostError, NetworkError

Sample = tuple[torch.Tensor, ...]
Tensors = Mapping[str, torch.Tensor]


class Runnable(Protocol):
    """What the batcher needs of a loaded network."""

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        """Return the output tensors of each sample."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A batch that the device has run: how many samples, for how long."""

    network: Runnable
    size: int
    seconds: float


class Answer(Future[Tensors]):
    """The output tensors of one sample; ``batch`` tells, once there is a result, what it ran in."""

    batch: BatchRun | None = None


def _note_nothing(run: BatchRun) -> None:
    """Take no notice of a batch."""


@dataclass(frozen=True)
class _Waiting:
    network: Runnable
    sample: Sample
    limit: int
    arrival: int
    future: Answer = field(default_factory=Answer)


_Key = tuple[int, tuple[torch.Size, ...]]


class Batcher:
    """One thread that feeds one device; ``on_batch`` is called in it, with each batch that the device has run."""

    def __init__(self, max_batch_size: int, on_batch: Callable[[BatchRun], None] = _note_nothing) -> None:
        self._max_batch_size = max_batch_size
        self._on_batch = on_batch
        self._waiting: dict[_Key, deque[_Waiting]] = {}
        self._arrivals = 0
        self._changed = threading.Condition()
        self._closed = False
        # What a network has shown to fit into memory; remembered as long as it is loaded.
        self._fitting: WeakKeyDictionary[Runnable, int] = WeakKeyDictionary()
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, network: Runnable, sample: Sample, max_batch_size: int | None = None) -> Answer:
        """Queue a sample and return the future of its output tensors.

        ``max_batch_size`` is what the network stands; the batcher's own maximum holds as well. The future fails with
        ``NetworkError`` if the network fails on this sample.
        """
        key = (id(network), tuple(tensor.shape for tensor in sample))
        limit = min(max_batch_size or self._max_batch_size, self._max_batch_size)
        with self._changed:
            if self._closed:
                raise NetworkError("The worker is stopping.")
            self._arrivals += 1
            waiting = _Waiting(network, sample, limit, self._arrivals)
            self._waiting.setdefault(key, deque()).append(waiting)
            self._changed.notify()
        return waiting.future

    def busy_seconds(self) -> float:
        """Return for how long the batch that is running now has been running; 0 if none is."""
        since = self._busy_since
        return 0.0 if since is None else monotonic() - since

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._busy_since = monotonic()
            self._run(batch)
            self._busy_since = None

    def _next_batch(self) -> list[_Waiting] | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            key = min(self._waiting, key=lambda key: self._waiting[key][0].arrival)
            queue = self._waiting[key]
            first = queue[0]
            size = min(first.limit, self._fitting.get(first.network, first.limit), len(queue))
            batch = list(islice(queue, size))
            for _ in batch:
                queue.popleft()
            if not queue:
                del self._waiting[key]
            return batch

    def _run(self, batch: list[_Waiting]) -> None:
        """Run a batch; when it fails, run its halves, until the one sample that is to blame stands alone."""
        network = batch[0].network
        started = perf_counter()
        try:
            results = network.run([waiting.sample for waiting in batch])
        except DeviceLostError as error:
            for waiting in batch:
                waiting.future.set_exception(error)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            self._fitting[network] = max(1, len(batch) // 2)
            self._split(batch, NetworkError("The device has not enough memory for this input."))
        except Exception as error:  # whatever a network raises is that network's failure, and the thread lives on
            self._split(batch, error)
        else:
            run = BatchRun(network, len(batch), perf_counter() - started)
            for waiting, tensors in zip(batch, results, strict=True):
                waiting.future.batch = run
                waiting.future.set_result(tensors)
            self._on_batch(run)

    def _split(self, batch: list[_Waiting], error: Exception) -> None:
        if len(batch) == 1:
            batch[0].future.set_exception(error)
            return
        middle = len(batch) // 2
        self._run(batch[:middle])
        self._run(batch[middle:])
