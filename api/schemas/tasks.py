"""Tasks: what is shown of them."""

from typing import Any

import orjson
from marshmallow import Schema, fields

from api.schemas.answers import Moment, iso_date, page_schema
from store.task_records import TaskRecord


def _stage(description: str) -> fields.Float:
    return fields.Float(allow_none=True, metadata={"description": f"{description} Null if it did not come to this."})


# How an ended task went; times in milliseconds. Made from a dict because one stage has the name of a method of schemas.
TimingSchema = Schema.from_dict(
    {
        "queued": fields.Float(
            metadata={"description": "Until the run that ended it began, or until its end if none did."}
        ),
        "load": _stage("Until its network was in memory."),
        "fetch": _stage("Getting the bytes of its images."),
        "decode": _stage("From bytes to pixels."),
        "preprocess": _stage("Cutting, resizing, normalising."),
        "batch_wait": _stage("Until its batch began, and until its end was heard of."),
        "device": _stage("The batch that it ran in."),
        "postprocess": _stage("From tensors to the answer."),
        "total": fields.Float(metadata={"description": "From its acceptance to its end."}),
        "batch_size": fields.Integer(allow_none=True, metadata={"description": "How many inputs its batch had."}),
        "attempts": fields.Integer(
            metadata={"description": "How often it was started; more than once if a worker died."}
        ),
        "version_id": fields.Integer(
            allow_none=True, metadata={"description": "The version that it was accepted for."}
        ),
        "worker": fields.String(allow_none=True, metadata={"description": "The worker process that started it last."}),
    },
    name="Timing",
)


class TaskSchema(Schema):
    """A task."""

    id = fields.String(metadata={"example": "123"})
    status = fields.String(metadata={"enum": ["pending", "success", "error"]})
    error = fields.String(allow_none=True, metadata={"description": "One sentence when the status is error."})
    date_created = Moment()
    date_updated = Moment(metadata={"description": "When it left pending; until then, when it was created."})
    data = fields.Dict(
        allow_none=True,
        metadata={
            "description": "What the task was for, when the status is success: `outputs` for labels, `tensors` for raw "
            "tensors, `inputs` and `outputs` for a deployment.",
            "example": {
                "outputs": [
                    {
                        "labels": {
                            "predicted": [
                                {"label_id": 9, "label_name": "sunglasses", "score": 0.99, "threshold": 0.347}
                            ],
                            "discarded": [],
                        }
                    }
                ]
            },
        },
    )
    subtasks = fields.Raw(metadata={"type": "null"})
    timing = fields.Nested(TimingSchema, metadata={"description": "Only there when the task has ended."})


TaskPageSchema = page_schema("TaskPage", TaskSchema)


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
    return answer
