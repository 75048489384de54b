"""What an inference request holds, for labels and for raw tensors."""

import math
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from api.image_sources import ImageUrl, SentImage, read_source, read_url
from api.schemas.fields import Flag, Items, Real, Record, StrictSchema, Text, Whole, messages
from api.schemas.preprocessing import NonEmptyText
from config.queues import Priority

MOST_POINTS = 1000  # of a polygon


class Source(fields.Field[SentImage | ImageUrl]):
    """The source of an image."""

    default_error_messages = messages("Must be an image.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> SentImage | ImageUrl:
        return read_source(value)


class BoundingBoxSchema(StrictSchema):
    """A box in coordinates of the image, from 0 to 1."""

    xmin = Real(0, 1, required=True)
    ymin = Real(0, 1, required=True)
    xmax = Real(0, 1, required=True)
    ymax = Real(0, 1, required=True)

    @validates_schema
    def check_order(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse boxes without an area."""
        for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
            if data[low] >= data[high]:
                raise ValidationError(f"{low} must be below {high}.", low)


class PointSchema(StrictSchema):
    """A point in coordinates of the image, from 0 to 1."""

    x = Real(0, 1, required=True)
    y = Real(0, 1, required=True)


class ImageSchema(StrictSchema):
    """An image, and which part of it to look at."""

    source = Source(
        required=True,
        metadata={
            "type": "string",
            "description": "An http:// or https:// URL, or data:image/<type or *>;base64,<data>, or "
            "data:image/<type or *>;binary,<bytes>; in a multipart body also a file part.",
            "example": "https://example.com/dog.jpg",
        },
    )
    bbox = Record(
        BoundingBoxSchema,
        load_default=None,
        allow_none=True,
        metadata={"description": "Crop to this box first; excludes polygon."},
    )
    polygon = Items(
        Record(PointSchema),
        shortest=3,
        longest=MOST_POINTS,
        load_default=None,
        allow_none=True,
        metadata={"description": "Crop to the polygon's box, fill outside with white; excludes bbox."},
    )
    crop_uniform_background = Flag(
        load_default=False, metadata={"description": "Crop to the foreground of an image on a uniform background."}
    )

    @validates_schema
    def check_region(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse two regions, and polygons without an area."""
        polygon = data["polygon"]
        if polygon is None:
            return
        if data["bbox"] is not None:
            raise ValidationError("Give either bbox or polygon.", "polygon")
        for axis in ("x", "y"):
            values = [point[axis] for point in polygon]
            if math.isclose(min(values), max(values), abs_tol=1e-9):
                raise ValidationError("The polygon has no area.", "polygon")


class InputSchema(StrictSchema):
    """One input of the network."""

    refused: ClassVar[dict[str, str]] = {"video": "Videos are not supported; send an image."}

    image = Record(ImageSchema, required=True)


class WebhookUrl(Text):
    """The address of a receiver; whether it may be reached is found out when it is."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return read_url(super()._deserialize(value, attr, data, **kwargs).encode(errors="replace")).url


class WebhookSchema(StrictSchema):
    """Where to send the task when it has ended."""

    url = WebhookUrl(required=True, metadata={"example": "https://example.com/ended"})
    events = Items(
        Text(validate=OneOf(["success", "error"])),
        shortest=1,
        load_default=["success", "error"],
        metadata={"description": "The ends that are told."},
    )


class RunSchema(StrictSchema):
    """What every inference takes: the images of one run, and how it is to be treated among others."""

    image_field = "inputs[{input}]image.source"

    inputs = Items(
        Record(InputSchema), shortest=1, required=True, metadata={"description": "One per input of the network."}
    )
    priority = Text(
        load_default=Priority.NORMAL.value,
        validate=OneOf([priority.value for priority in Priority]),
        metadata={"description": "Against what else waits; low work is slowed down, and never stopped."},
    )
    deadline_seconds = Real(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, min_inclusive=False, error="Must be more than 0."),
        metadata={"description": "A task that has not started within this time ends as an error."},
    )
    webhook = Record(
        WebhookSchema,
        load_default=None,
        allow_none=True,
        metadata={"description": "Receives the task when it has ended, signed as Standard Webhooks say."},
    )


class RecognitionRequestSchema(RunSchema):
    """Images to be labelled."""

    show_discarded = Flag(load_default=False, metadata={"description": "Also return what did not pass its threshold."})
    max_predictions = Whole(
        minimum=1, load_default=100, metadata={"description": "Bound on predicted and discarded objects together."}
    )


class TensorsRequestSchema(RunSchema):
    """Images to be run through a network."""

    output_tensors = Items(
        NonEmptyText(),
        shortest=1,
        load_default=None,
        allow_none=True,
        metadata={"description": "The names of the tensors to return; all by default.", "example": ["output"]},
    )
