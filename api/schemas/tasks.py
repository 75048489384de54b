"""Tasks: what is shown of them."""

from marshmallow import Schema, fields

from api.schemas.answers import Moment, page_schema


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


class WebhookStateSchema(Schema):
    """How the webhook of a task stands."""

    status = fields.String(
        metadata={
            "enum": ["pending", "delivered", "failed", "skipped"],
            "description": "failed: given up after 24 hours; skipped: the task ended in a way that it is not for.",
        }
    )
    attempts = fields.Integer(metadata={"description": "How often its delivery was tried."})
    last_error = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed."})


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
    webhook = fields.Nested(WebhookStateSchema, metadata={"description": "Only there when one was asked for."})


class AcceptedTaskSchema(TaskSchema):
    """The answer to an accepted inference request: the ID of its task; all of the task if the request waited."""

    task_id = fields.String(required=True, metadata={"example": "123"})


TaskPageSchema = page_schema("TaskPage", TaskSchema)
