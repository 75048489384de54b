"""Bounded waits: an answer that comes as soon as a task ends, or after some seconds as the task stands.

A view says which task it could wait for. The wait itself is done after the view has returned, when the images of the
request are not held any more; a waiting client costs a greenlet and an event.
"""

import re
from dataclasses import dataclass

import orjson
from flask import Flask, Response, g, request

from api.auth import account_id
from api.connections.turns import take_turn
from api.errors import answer_error
from api.query import asked_integer
from api.services import services
from store.errors import NotFound, Unavailable
from store.redis_connection import bound_waits
from store.task_json import task_answer
from store.task_records import Acceptance, TaskRecord, TaskStatus

LONGEST_WAIT_SECONDS = 60
PLAIN_WAIT_SECONDS = 30
WAIT = re.compile(r"wait(?:\s*=\s*\"?(\d{1,9})\"?)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Wait:
    """What a request would wait for; ``accepted`` if it asked for the task itself."""

    task_id: str
    seconds: int
    accepted: Acceptance | None


def preferred_wait() -> int | None:
    """Return the seconds that ``Prefer: wait`` (RFC 7240) asks for, at most 60; None without it.

    A preference that cannot be read is ignored, as the RFC wants; of several, the first counts.
    """
    for header in request.headers.getlist("Prefer"):
        for preference in header.split(","):
            found = WAIT.fullmatch(preference.partition(";")[0].strip())
            if found:
                return min(int(found[1] or PLAIN_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
    return None


def asked_wait() -> int:
    """Return the seconds that the query or ``Prefer`` asks for, 0 without either.

    Raises:
        InvalidRequest: if the query's ``wait`` is not a number from 0 to 60.
    """
    if "wait" in request.args:
        return asked_integer("wait", 0, 0, LONGEST_WAIT_SECONDS)
    return preferred_wait() or 0


def wait_for(task_id: str, seconds: int, *, accepted: Acceptance | None = None) -> None:
    """Have this request answered when the task has ended, or after ``seconds``."""
    if seconds:
        g.wait = Wait(task_id, seconds, accepted)


def shown(task: TaskRecord) -> Response:
    """Return a task as the answer."""
    return Response(orjson.dumps(task_answer(task)), mimetype="application/json")


def answer_waits(app: Flask) -> None:
    """Make ``app`` wait where a view has asked for it, and tell what it has honoured."""

    @app.after_request
    def wait_before_answer(response: Response) -> Response:
        wait: Wait | None = g.pop("wait", None)
        if wait is None or response.status_code >= 400:
            return response
        try:
            answer = _after(wait)
        except Unavailable:
            answer = response
        except NotFound as error:
            return answer_error(error)
        applied = preferred_wait()
        if applied is not None and "wait" not in request.args:
            answer.headers["Preference-Applied"] = f"wait={applied}"
        return answer


def _after(wait: Wait) -> Response:
    is_new = wait.accepted is not None and wait.accepted.is_new
    services().watch.wait(wait.task_id, wait.seconds, announced=is_new)
    take_turn()  # many may have waited for the same
    bound_waits()  # anew: who has asked to wait is not to be sent away for what was slow before
    task = services().ledger.get(account_id(), wait.task_id)
    if wait.accepted is None:
        return shown(task)
    answer = {**task_answer(task), "task_id": task.id}
    status = 202 if task.status is TaskStatus.PENDING else 200
    return Response(orjson.dumps(answer), status=status, mimetype="application/json")
