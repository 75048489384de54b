"""The samples that wait for a device, by network and shape, and who of them makes the next batch."""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import torch

from inference.batch_plan import BatchPlan

Sample = tuple[torch.Tensor, ...]
Tensors = Mapping[str, torch.Tensor]


class Runnable(Protocol):
    """What the batcher needs of a loaded network; ``precision`` is what it computes in."""

    precision: torch.dtype

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        """Return the output tensors of each sample."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A batch that the device has run: how many samples, for how long, and on which share of the device.

    It does not hold the network: answers outlive a network that has to leave.
    """

    size: int
    seconds: float
    share: float = 1.0


class Answer(Future[Tensors]):
    """The output tensors of one sample; ``batch`` tells, once there is a result, what it ran in."""

    batch: BatchRun | None = None


@dataclass(frozen=True)
class Waiting:
    """A sample that waits ``since`` a time of the monotonic clock; ``arrival`` counts up."""

    network: Runnable
    sample: Sample
    plan: BatchPlan
    arrival: int
    since: float = field(default_factory=monotonic)
    future: Answer = field(default_factory=Answer)


def _not_held(_oldest: Waiting) -> float:
    return 0.0


_Key = tuple[int, tuple[torch.Size, ...]]


class WaitingSamples:
    """Queues of samples of one network and one shape each; for one thread at a time."""

    def __init__(self) -> None:
        self._queues: dict[_Key, deque[Waiting]] = {}
        self._arrivals = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, network: Runnable, sample: Sample, plan: BatchPlan) -> Answer:
        """Queue a sample and return the future of its output tensors."""
        key = (id(network), tuple(tensor.shape for tensor in sample))
        self._arrivals += 1
        self._count += 1
        waiting = Waiting(network, sample, plan, self._arrivals)
        self._queues.setdefault(key, deque()).append(waiting)
        return waiting.future

    def take(
        self,
        largest: Callable[[Waiting], int],
        busy: Collection[Runnable],
        lanes: int,
        held_seconds: Callable[[Waiting], float] = _not_held,
    ) -> tuple[list[Waiting], float | None]:
        """Take the next batch out: of the sample that has waited longest, with others of its network and shape.

        Args:
            largest: tells how many samples a batch of this one's network may have.
            busy: networks of which a batch is running; one that does not run side by side waits for that.
            lanes: how many lanes are free; what may run side by side is shared out among them.
            held_seconds: tells for how long a batch of this one, which is the oldest, waits to be full.

        Returns:
            The batch, empty if nothing waits that may be run now; and then, if something is held until it is full,
            after how many seconds it may be run all the same.
        """
        ready: list[tuple[int, _Key]] = []
        held: list[float] = []
        for key, queue in self._queues.items():
            first = queue[0]
            if first.network in busy and not first.plan.side_by_side:
                continue
            seconds = held_seconds(first) if len(queue) < largest(first) else 0.0
            if seconds > 0:
                held.append(seconds)
            else:
                ready.append((first.arrival, key))
        if not ready:
            return [], min(held, default=None)
        _, key = min(ready)
        queue = self._queues[key]
        first = queue[0]
        fair = -(-len(queue) // lanes) if first.plan.side_by_side else len(queue)
        batch = [queue.popleft() for _ in range(min(largest(first), fair))]
        self._count -= len(batch)
        if not queue:
            del self._queues[key]
        return batch, None
