"""Tasks: what is shown of them."""

from typing import Any

import orjson
from marshmallow import Schema, fields

from api.schemas.answers import Moment, iso_date, page_schema
from store.task_records import TaskRecord


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


TaskPageSchema = page_schema("TaskPage", TaskSchema)


def task_answer(task: TaskRecord) -> dict[str, Any]:
    """Return the task as JSON has it; its data, JSON already, is passed on as it is."""
    return {
        "id": task.id,
        "status": task.status.value,
        "error": task.error,
        "date_created": iso_date(task.date_created),
        "date_updated": iso_date(task.date_updated),
        "data": None if task.data is None else orjson.Fragment(task.data),
        "subtasks": None,
    }
