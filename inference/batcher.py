"""Continuous batching: when a lane of the device becomes free, it takes what waits for one network, oldest first.

A lone sample starts at once, and a busy device fills its batches by itself, because samples that arrive meanwhile wait;
on a CPU, a batch also waits for those that are being prepared (``inference.expected``). Samples of one batch have equal
shapes, so that an answer never depends on its companions. The worker's threads submit prepared samples here and wait
for their futures.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, perf_counter
from weakref import WeakKeyDictionary

import torch

from inference.batch_plan import CAREFUL, BatchPlan
from inference.errors import DeviceLostError, NetworkError, without_frames
from inference.evidence.service import ServiceCheck
from inference.expected import Expected
from inference.lanes import Lanes, use_threads
from inference.network_use import NetworkUse
from inference.openmp import dismiss_helpers
from inference.waiting import Answer, BatchRun, Runnable, Sample, Waiting, WaitingSamples


def _note_nothing(network: Runnable, run: BatchRun) -> None:
    """Take no notice of a batch."""


@dataclass(frozen=True)
class _Batch:
    samples: list[Waiting]
    threads: int | None
    share: float
    since: float

    @property
    def network(self) -> Runnable:
        return self.samples[0].network


class Batcher:
    """The threads that feed one device, one for each lane.

    Args:
        max_batch_size: the most samples of a batch, whatever a network's plan says.
        on_batch: is called in a lane's thread with each batch that it has run.
        lanes: those of the device; one, and the threads left as they are, if it is not given.
        expected: tells how long batches wait for samples that are being prepared.
        check: compares the first batches of each network with what their samples give alone, if it is given.
        use: is informed of the samples that networks are in use for.
    """

    def __init__(
        self,
        max_batch_size: int,
        on_batch: Callable[[Runnable, BatchRun], None] = _note_nothing,
        lanes: Lanes | None = None,
        expected: Expected | None = None,
        *,
        check: ServiceCheck | None = None,
        use: NetworkUse | None = None,
    ) -> None:
        self._max_batch_size = max_batch_size
        self._on_batch = on_batch
        self._lanes = lanes or Lanes()
        self._waiting = WaitingSamples()
        self._expected = expected or Expected()
        self._check = check
        self._use = use or NetworkUse()
        self._running: dict[int, _Batch] = {}  # by lane
        self._changed = threading.Condition()
        self._closed = False
        # What a network has shown to fit into memory; remembered as long as it is loaded.
        self._fitting: WeakKeyDictionary[Runnable, int] = WeakKeyDictionary()
        self._threads = [
            threading.Thread(target=self._serve, args=(lane,), name=f"batcher-{lane}", daemon=True)
            for lane in range(self._lanes.count)
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def expecting(self, network: Runnable) -> Iterator[None]:
        """Let a batch of this network wait a little for the sample that is prepared and submitted in the block."""
        self._use.begin(network)
        with self._changed:
            self._expected.add(network)
        try:
            yield
        finally:
            self._use.end(network)
            with self._changed:
                self._expected.remove(network)
                if self._waiting:
                    self._changed.notify()

    def submit(self, network: Runnable, sample: Sample, plan: BatchPlan = CAREFUL) -> Answer:
        """Queue a sample and return the future of its output tensors.

        The future fails with ``NetworkError`` if the network fails on this sample.
        """
        with self._changed:
            if self._closed:
                raise NetworkError("The worker is stopping.")
            self._use.begin(network)
            answer = self._waiting.add(network, sample, plan)
            self._changed.notify()
        return answer

    def busy_seconds(self) -> float:
        """Return for how long the longest of the batches that are running has been running; 0 if none is."""
        with self._changed:
            since = min((batch.since for batch in self._running.values()), default=None)
        return 0.0 if since is None else monotonic() - since

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self, lane: int) -> None:
        while self._serve_next(lane):
            if not self._waiting:
                dismiss_helpers()

    def _serve_next(self, lane: int) -> bool:
        """Wait for a batch and run it; false when there will be no more.

        A method of its own, so that a lane that waits holds neither the last batch nor its network.
        """
        batch = self._next_batch(lane)
        if batch is None:
            return False
        use_threads(batch.threads)
        self._run(batch.samples, batch.share)
        self._use.end(batch.network, len(batch.samples))
        return True

    def _next_batch(self, lane: int) -> _Batch | None:
        """Wait for a batch to run in a lane; None when there will be no more."""
        with self._changed:
            self._running.pop(lane, None)
            while True:
                samples, held_seconds = self._taken()
                if samples:
                    break
                if self._closed and not self._waiting:
                    self._changed.notify_all()
                    return None
                self._changed.wait(held_seconds)
            batch = self._running[lane] = self._batch_of(samples)
            if self._waiting:
                self._changed.notify()  # what waits may be for another lane
            return batch

    def _taken(self) -> tuple[list[Waiting], float | None]:
        busy = {batch.network for batch in self._running.values()}
        return self._waiting.take(self._largest, busy, self._lanes.count - len(self._running), self._held_seconds)

    def _held_seconds(self, oldest: Waiting) -> float:
        if self._closed or self._lanes.cores is None:  # a device of its own would be idle meanwhile
            return 0.0
        return self._expected.held_seconds(oldest, monotonic())

    def _largest(self, first: Waiting) -> int:
        if self._check is not None and self._check.runs_alone(first.network):
            return 1
        limit = min(first.plan.max_batch_size or self._max_batch_size, self._max_batch_size)
        return min(limit, self._fitting.get(first.network, limit))

    def _batch_of(self, samples: list[Waiting]) -> _Batch:
        """Give a batch its share of the cores: others run, or are about to, with what waits."""
        plan, lanes, running = samples[0].plan, self._lanes, len(self._running) + 1
        if plan.side_by_side:
            running = min(running + len(self._waiting), lanes.count)
            threads = lanes.threads(running, plan.threads)
        else:
            threads = lanes.cores
        share = threads / lanes.cores if threads is not None and lanes.cores is not None else 1.0
        return _Batch(samples, threads, share, monotonic())

    def _run(self, samples: list[Waiting], share: float) -> None:
        """Run a batch; when it fails, run its halves, until the one sample that is to blame stands alone."""
        network = samples[0].network
        started = perf_counter()
        try:
            inputs = [waiting.sample for waiting in samples]
            results = network.run(inputs)
            seconds = perf_counter() - started
            if self._check is not None:
                results = self._check.checked(network, inputs, results, seconds)
        except DeviceLostError as error:
            for waiting in samples:
                waiting.future.set_exception(without_frames(error))
        except torch.OutOfMemoryError as error:
            without_frames(error)  # what the batch had come to, whose memory its halves need
            torch.cuda.empty_cache()
            with self._changed:
                self._fitting[network] = max(1, len(samples) // 2)
            self._split(samples, share, NetworkError("The device has not enough memory for this input."))
        except Exception as error:  # whatever a network raises is that network's failure, and the thread lives on
            self._split(samples, share, without_frames(error))
        else:
            run = BatchRun(len(samples), seconds, share)
            with self._changed:
                self._expected.has_run(network, run)
            for waiting, tensors in zip(samples, results, strict=True):
                waiting.future.batch = run
                waiting.future.set_result(tensors)
            self._on_batch(network, run)

    def _split(self, samples: list[Waiting], share: float, error: Exception) -> None:
        if len(samples) == 1:
            samples[0].future.set_exception(error)
            return
        middle = len(samples) // 2
        self._run(samples[:middle], share)
        self._run(samples[middle:], share)
