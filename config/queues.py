"""The names under which the API and the workers meet: Celery queues and Celery tasks.

The API enqueues by name and never imports the workers, so the names live where both may look.

Tasks wait in queues by service class and account: each class has a share of the workers, and within a class the
accounts take turns. Accounts are spread over a fixed number of queues (shards), because every worker reads them all;
two accounts in one shard take turns as one.
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
ACCOUNT_SHARDS = 16


@dataclass(frozen=True)
class ServiceClass:
    """Queues that share a part of the workers: while all classes have work, ``share`` of the sum of all shares."""

    share: int
    queues: tuple[str, ...]


def _sharded(priority: Priority) -> tuple[str, ...]:
    return tuple(f"recoq.{priority}.{shard}" for shard in range(ACCOUNT_SHARDS))


SERVICE_CLASSES = (
    ServiceClass(16, (RECOVERY_QUEUE,)),
    ServiceClass(16, _sharded(Priority.HIGH)),
    ServiceClass(4, (DEPLOYMENT_QUEUE,)),
    ServiceClass(4, _sharded(Priority.NORMAL)),
    ServiceClass(1, _sharded(Priority.LOW)),
)
WORKER_QUEUES = tuple(queue for service_class in SERVICE_CLASSES for queue in service_class.queues)


def queues_of(account_id: int) -> frozenset[str]:
    """Return the names of the queues in which new inferences of an account wait."""
    return frozenset(f"recoq.{priority}.{account_id % ACCOUNT_SHARDS}" for priority in Priority)


def queue_of(kind: TaskKind, priority: Priority, account_id: int) -> str:
    """Return the name of the queue in which a new task waits."""
    if kind is TaskKind.DEPLOYMENT:
        return DEPLOYMENT_QUEUE
    return f"recoq.{priority}.{account_id % ACCOUNT_SHARDS}"
