"""Recognition versions: what creates them and what is shown of them."""

from typing import Any

from marshmallow import Schema, ValidationError, fields

from api.bodies.parts import Part
from api.schemas.answers import Moment, page_schema
from api.schemas.fields import Items, Record, StrictSchema, Whole, text_of
from api.schemas.post_processings import PostProcessingSchema
from store.records import VersionRecord

READ_ONLY = dict.fromkeys(("id", "spec_name", "network_name", "create_date", "update_date"), "This field is read-only.")
PUBLIC_OR_OWN = {"type": ["integer", "string"], "description": "A string when public.", "example": 42}


class Reference(Whole):
    """The integer ID of an own resource or the slug of a public one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = text_of(value) if isinstance(value, Part) else value
        if isinstance(text, str) and text and not text.isdecimal():
            if "\x00" in text:
                raise ValidationError("Must not contain NUL characters.")
            return text
        return super()._deserialize(value, attr, data, **kwargs)


class NewVersionSchema(StrictSchema):
    """A link from a specification to a network."""

    refused = READ_ONLY

    spec_id = Whole(required=True, metadata={"example": 42})
    network_id = Reference(required=True, metadata=PUBLIC_OR_OWN)
    post_processings = Items(Record(PostProcessingSchema), shortest=1, required=True)


class VersionInListSchema(Schema):
    """A recognition version as lists show it."""

    id = fields.Integer()
    spec_id = fields.Raw(metadata=PUBLIC_OR_OWN)
    network_id = fields.Raw(metadata=PUBLIC_OR_OWN)
    spec_name = fields.String()
    network_name = fields.String()
    create_date = Moment()
    update_date = Moment()


class VersionSchema(VersionInListSchema):
    """A recognition version."""

    post_processings = fields.List(fields.Nested(PostProcessingSchema))


VersionPageSchema = page_schema("VersionPage", VersionInListSchema)


def version_answer(version: VersionRecord) -> dict[str, Any]:
    """Return what ``VersionSchema`` shows of a version."""
    return {
        "id": version.id,
        "spec_id": version.spec_slug or version.spec_id,
        "network_id": version.network_slug or version.network_id,
        "post_processings": version.post_processings,
        "spec_name": version.spec_name,
        "network_name": version.network_name,
        "create_date": version.create_date,
        "update_date": version.update_date,
    }
