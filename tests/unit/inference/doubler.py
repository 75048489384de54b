"""A network for tests of the batcher: it tells what it was given, and fails when it is told to."""

import threading
from collections.abc import Sequence

import torch

from inference.errors import NetworkError
from inference.waiting import Sample, Tensors


class Doubler:
    """A network that doubles its input, remembers its batches, and can be held up, poisoned or starved of memory."""

    precision = torch.float32

    def __init__(self, *, poison: float | None = None, fits: int = 1000) -> None:
        self.batches: list[list[float]] = []
        self.threads: list[int] = []  # that each batch was spread over
        self.may_run = threading.Event()
        self.may_run.set()
        self.started = threading.Event()
        self._poison = poison
        self._fits = fits

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        self.threads.append(torch.get_num_threads())
        self.started.set()
        assert self.may_run.wait(10)
        values = [float(sample[0].flatten()[0]) for sample in samples]
        self.batches.append(values)
        if len(samples) > self._fits:
            raise torch.OutOfMemoryError("too much")
        if self._poison in values:
            raise NetworkError("This sample is poison.")
        return [{"output": sample[0] * 2} for sample in samples]


def sample(value: float, width: int = 1) -> Sample:
    return (torch.full((width,), value),)
