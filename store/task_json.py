"""A task as JSON: the same in the API's answers and in webhooks."""

from datetime import UTC, datetime
from typing import Any

import orjson

from store.task_records import TaskRecord


def iso_date(moment: datetime) -> str:
    """Return the date in UTC with microseconds and a ``Z``, as every date of the API is written."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def task_answer(task: TaskRecord) -> dict[str, Any]:
    """Return the task as JSON has it; its data, JSON already, is passed on as it is."""
    answer: dict[str, Any] = {
        "id": task.id,
        "status": task.status.value,
        "error": task.error,
        "date_created": iso_date(task.date_created),
        "date_updated": iso_date(task.date_updated),
        "data": None if task.data is None else orjson.Fragment(task.data),
        "subtasks": None,
    }
    if task.timing is not None:
        answer["timing"] = task.timing
    if task.webhook is not None:
        answer["webhook"] = task.webhook
    return answer
