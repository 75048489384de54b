"""Recognition specifications: what creates and edits them, and what is shown of them."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from api.schemas.answers import Moment, page_schema
from api.schemas.fields import Flag, FreeObject, Items, Record, StrictSchema, Text, Whole
from api.schemas.networks import name_field
from api.schemas.preprocessing import NonEmptyText
from store.records import SpecRecord

IMMUTABLE = dict.fromkeys(
    ("id", "outputs", "create_date", "update_date"),
    "This field is immutable; name, description, metadata and current_version_id can be edited.",
)
READ_ONLY = dict.fromkeys(("id", "create_date", "update_date"), "This field is read-only.")
NO_VERSION_YET = {"current_version_id": "A new specification has no versions yet; its first one becomes current."}


class LabelSchema(StrictSchema):
    """What can be recognised."""

    id = Whole(required=True, metadata={"example": 0})
    name = NonEmptyText(required=True, metadata={"example": "hot-dog"})


class LabelsSchema(StrictSchema):
    """The labels of an output."""

    labels = Items(Record(LabelSchema), shortest=1, required=True)
    exclusive = Flag(required=True, metadata={"description": "Whether one label excludes the others."})
    roi = Text(
        required=True,
        validate=OneOf(["NONE", "BBOX"]),
        metadata={"description": "NONE for labels of the whole image, BBOX for labels with boxes."},
    )

    @validates_schema
    def check_ids(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse two labels of one ID, naming the second."""
        seen: set[int] = set()
        for index, label in enumerate(data["labels"]):
            if label["id"] in seen:
                raise ValidationError({"labels": {index: {"id": [f"Label {label['id']} is given twice."]}}})
            seen.add(label["id"])


class OutputSchema(StrictSchema):
    """One output of a specification."""

    labels = Record(LabelsSchema, required=True)


class NewSpecSchema(StrictSchema):
    """The fields of a specification to be created."""

    refused = READ_ONLY | NO_VERSION_YET

    name = name_field(required=True, metadata={"example": "hot-dog VS not hot-dog classifier"})
    description = Text(load_default="")
    metadata = FreeObject(load_default=dict)
    outputs = Items(Record(OutputSchema), shortest=1, required=True)


class PatchedSpecSchema(StrictSchema):
    """The fields of a specification that PATCH takes; absent ones stay."""

    refused = IMMUTABLE

    name = name_field()
    description = Text()
    metadata = FreeObject()
    current_version_id = Whole(allow_none=True)


class ReplacedSpecSchema(StrictSchema):
    """The fields of a specification that PUT takes; absent ones return to their defaults."""

    refused = IMMUTABLE

    name = name_field(required=True)
    description = Text(load_default="")
    metadata = FreeObject(load_default=dict)
    current_version_id = Whole(load_default=None, allow_none=True)


class SpecInListSchema(Schema):
    """A recognition specification as lists show it."""

    id = fields.Raw(metadata={"type": ["integer", "string"], "description": "A string when public.", "example": 42})
    name = fields.String()
    description = fields.String()
    metadata = fields.Dict()
    current_version_id = fields.Integer(
        allow_none=True, metadata={"description": "The version that inference runs; hidden when public."}
    )
    create_date = Moment()
    update_date = Moment()


class SpecSchema(SpecInListSchema):
    """A recognition specification."""

    outputs = fields.List(fields.Nested(OutputSchema))


SpecPageSchema = page_schema("SpecPage", SpecInListSchema)


def spec_answer(spec: SpecRecord) -> dict[str, Any]:
    """Return what ``SpecSchema`` shows of a specification."""
    answer: dict[str, Any] = {
        "id": spec.slug or spec.id,
        "name": spec.name,
        "description": spec.description,
        "metadata": spec.metadata,
        "outputs": spec.outputs,
        "create_date": spec.create_date,
        "update_date": spec.update_date,
    }
    if spec.slug is None:
        answer["current_version_id"] = spec.current_version_id
    return answer
