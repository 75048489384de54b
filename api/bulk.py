"""Many images in one request: one task for each item, or the error of that item alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from flask import Response, request
from marshmallow import ValidationError

from api.errors import InvalidRequest, as_invalid_request
from api.form_advice import advised
from api.idempotency import asked_key, idempotency
from api.schemas.bulk import BulkItemSchema
from api.schemas.fields import Text
from api.services import services
from store.errors import QueueFull, StoreError
from store.task_records import Acceptance, NewTask

JsonObject = dict[str, Any]
ITEM = BulkItemSchema()
REFERENCE = Text(allow_none=True)


def accept_bulk(asked: JsonObject, new_task: Callable[[JsonObject], NewTask]) -> Response:
    """Enqueue a task for each item, and return their IDs or what is wrong with them, in the order of the items.

    Under an idempotency key, each item has one of its own: a request that is sent again makes what is missing.

    Raises:
        QueueFull: if no task at all could be accepted for that reason.
    """
    items = asked.pop("items")
    made = [_made({**asked}, item, new_task, index) for index, item in enumerate(items)]
    key = asked_key()
    if key is not None:
        made = [
            replace(each, idempotency=idempotency(f"{key}#{index}", each)) if isinstance(each, NewTask) else each
            for index, each in enumerate(made)
        ]
    outcomes = iter(services().queue.submit_many([each for each in made if isinstance(each, NewTask)]))
    answers = [next(outcomes) if isinstance(each, NewTask) else each for each in made]
    _refuse_if_full(answers)
    shown = [_answer(each, _reference(item)) for each, item in zip(answers, items, strict=True)]
    return Response(orjson.dumps({"tasks": shown}), status=202, mimetype="application/json")


def _made(
    common: JsonObject, item: Any, new_task: Callable[[JsonObject], NewTask], index: int
) -> NewTask | InvalidRequest:
    try:
        return new_task({**common, "inputs": ITEM.load(item)["inputs"]})
    except ValidationError as error:
        return advised(as_invalid_request(error), request, ITEM, index)
    except InvalidRequest as error:
        return advised(error, request, ITEM, index)


def _refuse_if_full(answers: Sequence[Acceptance | Exception]) -> None:
    if not any(isinstance(each, Acceptance) for each in answers):
        for each in answers:
            if isinstance(each, QueueFull):
                raise each


def _answer(outcome: Acceptance | StoreError | InvalidRequest, reference: str | None) -> JsonObject:
    if isinstance(outcome, Acceptance):
        return {"task_id": outcome.task_id, "reference": reference}
    return {"error": str(outcome), "reference": reference}


def _reference(item: Any) -> str | None:
    """Return what the sender knows an item by, also if the item is wrong."""
    try:
        reference: str | None = REFERENCE.deserialize(item.get("reference") if isinstance(item, Mapping) else None)
    except ValidationError:
        return None
    return reference
