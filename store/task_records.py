"""What the ledger takes and gives: a task to submit, a task as its owner sees it, a task as its worker runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from config.queues import Priority, TaskKind, line_of, queue_of
from store.turns import NOTHING, Cost


class TaskStatus(StrEnum):
    """Where a task stands. ``success`` and ``error`` are final."""

    PENDING = "pending"
    SUCCESS = "success"
    ERROR = "error"


def network_of(request: Mapping[str, Any]) -> int:
    """Return the ID of the network that a request needs, 0 if it names none."""
    network_id: int = request.get("network_id", 0)
    return network_id


@dataclass(frozen=True)
class Idempotency:
    """Under which key of its account a request is sent, and what it says; both as digests."""

    key: str
    fingerprint: str


class WebhookStatus(StrEnum):
    """Where a webhook stands; ``skipped`` if its task ended in a way that it is not for."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Webhook:
    """Where to send a task when it has ended as one of ``events``: ``success``, ``error``."""

    url: str
    events: tuple[str, ...]


@dataclass(frozen=True)
class WebhookState:
    """How the webhook of a task stands, as its owner sees it."""

    status: WebhookStatus
    attempts: int
    last_error: str | None


@dataclass(frozen=True)
class NewTask:
    """A task that is about to be accepted.

    ``request`` is what the worker needs to know, as JSON; ``inputs`` are the bytes of the images that were sent along,
    to which the request refers by index. If it has not started within ``deadline_seconds``, it ends as an error.
    ``awaited_on`` is the channel of a :class:`store.task_watch.TaskWatch` that is going to wait for its end.
    ``registry_stamp`` is the stamp under which the task is accepted, if it is only under one.
    A task that is known to fail is accepted as one that has ``ended_with`` that error: it is not run, nothing of it is
    staged, and all else is as with any task that has ended.
    ``cost`` is what it is estimated to take.
    """

    account_id: int
    kind: TaskKind
    request: Mapping[str, Any]
    inputs: Sequence[bytes] = field(default=(), repr=False)
    priority: Priority = Priority.NORMAL
    deadline_seconds: float | None = None
    idempotency: Idempotency | None = None
    webhook: Webhook | None = None
    awaited_on: str | None = None
    registry_stamp: str | None = None
    ended_with: str | None = None
    cost: Cost = NOTHING

    @property
    def queue(self) -> str:
        """The queue in which the task waits at first."""
        return queue_of(self.kind, self.priority)

    @property
    def line(self) -> str:
        """The line of its account there."""
        return line_of(self.queue, self.account_id)

    @property
    def network_id(self) -> int:
        """The network that it needs; 0 if the request names none."""
        return network_of(self.request)


@dataclass(frozen=True)
class Acceptance:
    """The ID of a task, and whether it was made now or by the same request before."""

    task_id: str
    is_new: bool


@dataclass(frozen=True)
class TaskTiming:
    """How an ended task went; times in milliseconds.

    ``queued`` is from its acceptance until the run that ended it began, or until its end if none did. The stages of
    that run follow, None for those that it did not come to.
    """

    queued: float
    load: float | None
    fetch: float | None
    decode: float | None
    preprocess: float | None
    batch_wait: float | None
    device: float | None
    postprocess: float | None
    total: float
    batch_size: int | None
    attempts: int
    version_id: int | None
    worker: str | None


@dataclass(frozen=True)
class TaskRecord:
    """A task as its owner sees it; ``data`` is JSON text and only there on success, ``timing`` once it has ended."""

    id: str
    account_id: int
    kind: TaskKind
    status: TaskStatus
    error: str | None
    data: bytes | None
    date_created: datetime
    date_updated: datetime
    timing: TaskTiming | None
    webhook: WebhookState | None


@dataclass(frozen=True)
class ClaimedTask:
    """A task that one worker may run now.

    ``attempt`` counts from 1; one that could not be made is taken back, so that two claims may be the same attempt. The
    ``fence`` is higher with each claim: an outcome is taken from the latest only. ``queued_seconds`` is the time from
    its acceptance until this claim. ``cost`` is what its account has been charged for it.
    """

    id: str
    account_id: int
    kind: TaskKind
    attempt: int
    fence: int
    request: Mapping[str, Any]
    inputs: Sequence[bytes] = field(repr=False)
    queued_seconds: float
    cost: Cost = NOTHING

    @property
    def network_id(self) -> int:
        """The network that it needs; 0 if the request names none."""
        return network_of(self.request)

    @property
    def image_urls(self) -> list[str]:
        """The images that have to be fetched, each once, in the order of the inputs."""
        return list(dict.fromkeys(self.urls_of_inputs))

    @property
    def urls_of_inputs(self) -> list[str]:
        """The image URL of each input that has one."""
        sources = (given["source"] for given in self.request.get("inputs", ()))
        return [source["url"] for source in sources if "url" in source]


@dataclass(frozen=True)
class FreeTask:
    """A pending task that was lost or given back, and has to be enqueued again."""

    id: str
    kind: TaskKind


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with ``data`` (JSON text), or with ``error`` (one sentence).

    ``stages`` (JSON text) says where the time of the run went: milliseconds by stage, and ``batch_size``.
    """

    data: bytes | None = None
    error: str | None = None
    stages: bytes | None = None

    @property
    def status(self) -> TaskStatus:
        """The final status that this outcome gives a task."""
        return TaskStatus.SUCCESS if self.error is None else TaskStatus.ERROR


@dataclass(frozen=True)
class Ending:
    """The outcome of a task by one of its claims; without a ``fence`` it counts whoever else has claimed the task.

    ``extra_seconds`` is what it has cost beyond what its account was charged.
    """

    task_id: str
    fence: int | None
    outcome: Outcome
    extra_seconds: float = 0.0


CANCELLED = Outcome(error="Cancelled.")
OVERDUE = Outcome(error="Deadline exceeded before the task could start.")
