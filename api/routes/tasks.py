"""``/tasks``: what became of a request."""

from typing import Any

import orjson
from flask import Response, request

from api.auth import account_id
from api.bodies.json_text import JsonError, parse_json
from api.connections.turns import in_slices
from api.endpoint import PAGE_ARGUMENTS, PREFER, blueprint, endpoint
from api.errors import invalid_fields
from api.pagination import asked_page, page_answer
from api.query import asked_flag
from api.routes.answer_examples import TASK, page_of
from api.schemas.tasks import TaskPageSchema, TaskSchema
from api.services import services
from api.waiting import LONGEST_WAIT_SECONDS, asked_wait, shown, wait_for
from store.errors import NotFound
from store.task_json import task_answer
from store.task_records import TaskStatus

tasks = blueprint("tasks", "What became of a request.")

MOST_IDS = 1000
LONGEST_ID = 20

TASK_IDS: list[dict[str, Any]] = [
    {
        "in": "query",
        "name": "task_ids",
        "schema": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_IDS},
        "description": "Repeated, or separated by commas, or one JSON array.",
    }
]
WAIT: dict[str, Any] = {
    "in": "query",
    "name": "wait",
    "schema": {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT_SECONDS, "default": 0},
    "description": "Answer when the task has ended, or after this many seconds as it stands.",
}
PURGE: list[dict[str, Any]] = [
    {
        "in": "query",
        "name": "purge",
        "schema": {"type": "boolean", "default": False},
        "description": "Remove the task with its result and its images, whether it has ended or not.",
    }
]


def _is_task_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID


def _ids_in(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")]
    try:
        return [str(value) for value in parse_json(text.encode(errors="replace"))]
    except JsonError as error:
        raise invalid_fields({"task_ids": [f"Must be a valid JSON array: {error}."]}) from error


def asked_ids() -> list[str]:
    """Return the task IDs that the query of this request names, each once; what cannot be one is left out.

    Raises:
        InvalidRequest: if they are too many.
    """
    ids = [task_id for text in request.args.getlist("task_ids") for task_id in _ids_in(text)]
    if len(ids) > MOST_IDS:
        raise invalid_fields({"task_ids": [f"Must be at most {MOST_IDS}."]})
    return [task_id for task_id in dict.fromkeys(ids) if _is_task_id(task_id)]


@endpoint(
    tasks,
    "GET",
    "/tasks",
    gives=TaskPageSchema,
    answer=page_of(TASK),
    arguments=[*TASK_IDS, *PAGE_ARGUMENTS],
)
def list_tasks() -> Response:
    """Retrieve several tasks, in the order asked; unknown ones are left out."""
    page = asked_page()
    known = services().ledger.known(account_id(), asked_ids())
    found = services().ledger.get_many(account_id(), known[page.offset : page.offset + page.limit])
    shown = map(task_answer, in_slices(found))
    return Response(orjson.dumps(page_answer(page, shown, len(known))), mimetype="application/json")


@endpoint(tasks, "GET", "/tasks/<task_id>", gives=TaskSchema, answer=TASK, errors=(404,), arguments=[WAIT, PREFER])
def retrieve_task(task_id: str) -> Response:
    """Retrieve a task, now or when it has ended."""
    seconds = asked_wait()
    task = services().ledger.get(account_id(), _checked(task_id))
    if task.status is TaskStatus.PENDING:
        wait_for(task_id, seconds)
    return shown(task)


@endpoint(tasks, "DELETE", "/tasks/<task_id>", status=204, errors=(404,), arguments=PURGE)
def cancel_task(task_id: str) -> Response:
    """Cancel a task that has not ended, or forget any task."""
    if asked_flag("purge"):
        services().ledger.purge(account_id(), _checked(task_id))
    else:
        services().ledger.cancel(account_id(), _checked(task_id))
    return Response(status=204)


def _checked(task_id: str) -> str:
    if not _is_task_id(task_id):
        raise NotFound("There is no such task.")
    return task_id
