"""Waits for tasks: the service holds the answer back if it can, and is asked at growing intervals otherwise."""

import contextlib
import time
from collections.abc import Iterator, Sequence

from cli.api_client import ApiClient, Json, ServiceAway
from cli.errors import CommandError

LONGEST_WAIT_SECONDS = 30
FIRST_POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 2.0
POLL_GROWTH = 1.5


def ended_tasks(client: ApiClient, task_ids: Sequence[str], timeout_seconds: float) -> Iterator[Json]:
    """Yield the tasks, in this order, each when it has ended.

    Raises:
        CommandError: if one is unknown, or all of them have not ended within ``timeout_seconds``.
    """
    deadline = time.monotonic() + timeout_seconds
    for task_id in task_ids:
        yield ended_task(client, task_id, deadline)


def ended_task(client: ApiClient, task_id: str, deadline: float) -> Json:
    """Return a task when it has ended; a service that is away for a moment is asked again.

    Raises:
        CommandError: if it is unknown, or has not ended at ``deadline``, a time of the monotonic clock.
    """
    pause_seconds = FIRST_POLL_SECONDS
    while True:
        waited = False
        with contextlib.suppress(ServiceAway):
            wait_seconds = int(max(0, min(LONGEST_WAIT_SECONDS, deadline - time.monotonic())))
            task, waited = client.get_waiting(f"/tasks/{task_id}", wait_seconds)
            if task["status"] != "pending":
                return task
        if time.monotonic() >= deadline:
            raise CommandError(f"Task {task_id} did not end in time. Is a worker running?")
        if not waited or not wait_seconds:
            time.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * POLL_GROWTH, LONGEST_POLL_SECONDS)
