"""What a bulk request holds: items, and the arguments that all of them share."""

from typing import Any

from marshmallow import Schema, fields

from api.schemas.fields import Items, Record, StrictSchema, Text, unwrap_json
from api.schemas.inference import InputSchema, RecognitionRequestSchema, RunSchema, TensorsRequestSchema

MOST_ITEMS = 256
IMAGE_FIELD = f"items[{{item}}]{RunSchema.image_field}"


class BulkItemSchema(StrictSchema):
    """The images of one run, and what their sender knows them by."""

    image_field = IMAGE_FIELD

    inputs = Items(
        Record(InputSchema), shortest=1, required=True, metadata={"description": "One per input of the network."}
    )
    reference = Text(load_default=None, allow_none=True, metadata={"description": "Comes back in the answer."})


class UncheckedItem(fields.Raw):
    """An item as it came: each is checked on its own, and what is wrong with one is its own error."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return unwrap_json(value)


def _items() -> Items:
    return Items(
        UncheckedItem(
            metadata={
                "description": "`inputs` as of one run, and optionally `reference`, a string that comes back. Any "
                "other item is answered with an error of its own."
            }
        ),
        shortest=1,
        longest=MOST_ITEMS,
        required=True,
    )


class BulkRecognitionSchema(RecognitionRequestSchema):
    """Images to be labelled, one task for each item."""

    image_field = IMAGE_FIELD

    class Meta:
        """An item has the inputs."""

        exclude = ("inputs",)

    items = _items()


class BulkTensorsSchema(TensorsRequestSchema):
    """Images to be run through a network, one task for each item."""

    image_field = IMAGE_FIELD

    class Meta:
        """An item has the inputs."""

        exclude = ("inputs",)

    items = _items()


class BulkOutcomeSchema(Schema):
    """What became of an item: its task, or what is wrong with it."""

    task_id = fields.String(metadata={"example": "123"})
    error = fields.String(metadata={"description": "One sentence, in place of task_id."})
    reference = fields.String(allow_none=True, required=True)


class BulkAnswerSchema(Schema):
    """What became of the items, in their order."""

    tasks = fields.List(fields.Nested(BulkOutcomeSchema), required=True)
