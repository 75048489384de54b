"""The names under which the API and the workers meet: Celery queues and Celery tasks.

The API enqueues by name and never imports the workers, so the names live where both may look.

Tasks wait in queues by service class: each class has a share of the workers. Within a queue, each account has a line of
its own, and the accounts take turns (``store.turns``).
"""

from dataclasses import dataclass
from enum import StrEnum


class TaskKind(StrEnum):
    """What a task asks of a worker."""

    RECOGNITION = "recognition"  # images through a version: labels, with boxes if the spec has them
    TENSORS = "tensors"  # images through a network: its raw output tensors
    DEPLOYMENT = "deployment"  # load a new network and describe its outputs


class Priority(StrEnum):
    """How a task stands against others that wait."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


CELERY_TASK_NAMES = {
    TaskKind.RECOGNITION: "recoq.recognise",
    TaskKind.TENSORS: "recoq.infer_tensors",
    TaskKind.DEPLOYMENT: "recoq.deploy",
}

DEPLOYMENT_QUEUE = "recoq.deployment"
RECOVERY_QUEUE = "recoq.recovery"  # tasks that a worker or a message was lost for: they have waited already
WEBHOOK_QUEUE = "recoq.webhooks"  # read by processes of its own, so that slow receivers never slow inference
WEBHOOK_TASK_NAME = "recoq.deliver_webhook"
EARLIER_SHARDS = 16


@dataclass(frozen=True)
class ServiceClass:
    """A queue and its part of the workers: while all classes have work, ``share`` of the sum of all shares."""

    share: int
    queue: str


SERVICE_CLASSES = (
    ServiceClass(16, RECOVERY_QUEUE),
    ServiceClass(16, f"recoq.{Priority.HIGH}"),
    ServiceClass(4, DEPLOYMENT_QUEUE),
    ServiceClass(4, f"recoq.{Priority.NORMAL}"),
    ServiceClass(1, f"recoq.{Priority.LOW}"),
)
WORKER_QUEUES = tuple(service_class.queue for service_class in SERVICE_CLASSES)
# Earlier releases spread accounts over these. No worker reads them: what waits there is recovered as lost.
EARLIER_QUEUES = (
    RECOVERY_QUEUE,
    DEPLOYMENT_QUEUE,
    *(f"recoq.{priority}.{shard}" for priority in Priority for shard in range(EARLIER_SHARDS)),
)


def queue_of(kind: TaskKind, priority: Priority) -> str:
    """Return the name of the queue in which a new task waits."""
    return DEPLOYMENT_QUEUE if kind is TaskKind.DEPLOYMENT else f"recoq.{priority}"


def line_of(queue: str, account_id: int) -> str:
    """Return the name of an account's line in a queue: the tasks that it has there, in order."""
    return f"{queue}:{account_id}"
