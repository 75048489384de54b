"""Networks: what creates and edits them, and what is shown of them."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf

from api.schemas.answers import Moment, page_schema
from api.schemas.fields import FreeObject, Items, Record, StrictSchema, Text
from api.schemas.preprocessing import NonEmptyText, PreprocessingSchema
from store.records import NetworkRecord

FRAMEWORKS = ("pytorch-2.x",)
READ_ONLY = dict.fromkeys(("id", "task_id", "create_date", "update_date"), "This field is read-only.")
IMMUTABLE = dict.fromkeys(
    ("framework", "preprocessing", "postprocessings"), "This field is immutable: it is set at creation."
)


class TensorNamesSchema(StrictSchema):
    """Names for the tensors of a tuple, in its order."""

    tensors = Items(NonEmptyText(), shortest=1, required=True)

    @validates_schema
    def check_names(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse two tensors of one name."""
        if len(set(data["tensors"])) != len(data["tensors"]):
            raise ValidationError("Every tensor must have a name of its own.", "tensors")


class PostprocessingSchema(StrictSchema):
    """A list of output tensors."""

    tensors_output = Record(TensorNamesSchema, required=True)


def name_field(**kwargs: Any) -> Text:
    """Return the field of a name that people read."""
    return NonEmptyText(validate=Length(max=255, error="Must be at most 255 characters long."), **kwargs)


class NewNetworkSchema(StrictSchema):
    """The fields of a network to be created; its files come beside them."""

    refused = READ_ONLY

    name = name_field(required=True, metadata={"example": "hot dogs, ResNet-18"})
    description = Text(load_default="")
    metadata = FreeObject(load_default=dict)
    framework = Text(
        required=True, validate=OneOf(FRAMEWORKS, error=f"Unsupported; supported: {', '.join(FRAMEWORKS)}.")
    )
    preprocessing = Record(PreprocessingSchema, required=True)
    postprocessings = Items(Record(PostprocessingSchema), load_default=list)

    @validates_schema
    def check_tensor_names(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse two tensors of one name in different lists."""
        names = [name for entry in data["postprocessings"] for name in entry["tensors_output"]["tensors"]]
        if len(set(names)) != len(names):
            raise ValidationError("Every tensor must have a name of its own.", "postprocessings")


class PatchedNetworkSchema(StrictSchema):
    """The fields of a network that PATCH takes; absent ones stay."""

    refused = READ_ONLY | IMMUTABLE

    name = name_field()
    description = Text()
    metadata = FreeObject()


class ReplacedNetworkSchema(StrictSchema):
    """The fields of a network that PUT takes, all of them."""

    refused = READ_ONLY | IMMUTABLE

    name = name_field(required=True)
    description = Text(required=True)
    metadata = FreeObject(required=True)


class NetworkSchema(Schema):
    """A network."""

    id = fields.Raw(metadata={"type": ["integer", "string"], "description": "A string when public.", "example": 42})
    name = fields.String()
    description = fields.String()
    metadata = fields.Dict()
    framework = fields.String(metadata={"enum": list(FRAMEWORKS)})
    preprocessing = fields.Nested(PreprocessingSchema)
    postprocessings = fields.List(fields.Nested(PostprocessingSchema))
    task_id = fields.String(
        allow_none=True, metadata={"description": "The task that tells whether the deployment worked."}
    )
    create_date = Moment()
    update_date = Moment()


NetworkPageSchema = page_schema("NetworkPage", NetworkSchema)


def network_answer(network: NetworkRecord) -> dict[str, Any]:
    """Return what ``NetworkSchema`` shows of a network."""
    return {
        "id": network.slug or network.id,
        "name": network.name,
        "description": network.description,
        "metadata": network.metadata,
        "framework": network.framework,
        "preprocessing": network.preprocessing,
        "postprocessings": network.postprocessings,
        "task_id": network.task_id,
        "create_date": network.create_date,
        "update_date": network.update_date,
    }
