"""Has a worker deploy a public network, and waits for the outcome."""

import time
from collections.abc import Callable

from api.services import Services
from cli.errors import CommandError
from config.queues import TaskKind
from store.records import NetworkRecord
from store.task_records import NewTask, TaskStatus

PUBLIC_ACCOUNT = 0  # whose tasks no key can see: those that deploy public networks

FIRST_POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 1.0
POLL_GROWTH = 1.3
PATIENCE_SECONDS = 10.0  # then say that it takes long, and again after each minute
REMINDER_SECONDS = 60.0

Say = Callable[[str], None]


def deploy(services: Services, network: NetworkRecord, *, timeout_seconds: float, say: Say) -> NetworkRecord:
    """Return the network, deployed; the task that does it is submitted unless one is under way.

    Raises:
        CommandError: if the deployment fails, or has not ended in time. Then its task is forgotten.
    """
    task = _task_under_way(services, network) or _submit(services, network)
    try:
        _wait(services, task, time.monotonic() + timeout_seconds, say)
    except BaseException:
        services.ledger.discard(task)
        raise
    return services.networks.get_by_id(network.id)


def _task_under_way(services: Services, network: NetworkRecord) -> str | None:
    task_ids = [] if network.task_id is None else [network.task_id]
    tasks = services.ledger.get_many(PUBLIC_ACCOUNT, task_ids)
    return next((task.id for task in tasks if task.status is TaskStatus.PENDING), None)


def _submit(services: Services, network: NetworkRecord) -> str:
    new = NewTask(PUBLIC_ACCOUNT, TaskKind.DEPLOYMENT, {"network_id": network.id})
    task_id = services.queue.submit(new).task_id
    services.networks.set_task(network.id, task_id)
    return task_id


def _wait(services: Services, task_id: str, deadline: float, say: Say) -> None:
    pause_seconds = FIRST_POLL_SECONDS
    remind_at = time.monotonic() + PATIENCE_SECONDS
    while (task := services.ledger.get(PUBLIC_ACCOUNT, task_id)).status is TaskStatus.PENDING:
        now = time.monotonic()
        if now > deadline:
            raise CommandError(f"The deployment did not end in time. {_why_so_long(services)}")
        if now > remind_at:
            say(f"Still waiting. {_why_so_long(services)}")
            remind_at = now + REMINDER_SECONDS
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * POLL_GROWTH, LONGEST_POLL_SECONDS)
    if task.status is TaskStatus.ERROR:
        raise CommandError(f"The deployment failed: {task.error}")


def _why_so_long(services: Services) -> str:
    if services.queue.depth():
        return "No worker has taken the deployment yet; one starts with: recoq worker"
    return "A worker is loading the network."
