"""How the tensors of a network become the predictions of one output: ``post_processings`` of a version.

What depends on the specification (how many thresholds, which kind) is completed in ``api/post_processing_checks.py``.
"""

from typing import Any

from marshmallow import ValidationError
from marshmallow.validate import OneOf

from api.schemas.fields import AlternativesSchema, Items, Real, Record, StrictSchema, Text
from api.schemas.preprocessing import NonEmptyText

BOX_LAYOUTS = ("direct_output", "standard_output", "anchored_output", "yolo_output", "yolov3_output")
KINDS = ("classification", "detection")


def thresholds_field() -> Items:
    """Return the field of thresholds, one per label in the order of the labels."""
    return Items(
        Real(0, 1),
        metadata={"description": "One per label, in the order of the labels.", "example": [0.5, 0.5]},
    )


class AnchorPairs(Items):
    """Pairs of a width and a height above 0; a flat array of them in turn is taken too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Items(Real(0), shortest=2), shortest=1, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) % 2 == 0 and not any(isinstance(item, list) for item in value):
            value = [list(pair) for pair in zip(value[::2], value[1::2], strict=True)]
        pairs = super()._deserialize(value, attr, data, **kwargs)
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise ValidationError("Must be pairs of a width and a height above 0.")
        return pairs


class ClassificationSchema(StrictSchema):
    """Scores for labels of the whole image."""

    output_tensor = NonEmptyText(required=True, metadata={"example": "output"})
    thresholds = thresholds_field()
    activation = Text(
        validate=OneOf(["softmax", "sigmoid", "none"]),
        metadata={"description": "Default: softmax when the labels are exclusive, else sigmoid."},
    )


class DirectOutputSchema(StrictSchema):
    """Boxes with a score and the ID of a label each."""

    boxes_tensor = NonEmptyText(required=True)
    scores_tensor = NonEmptyText(required=True)
    classes_tensor = NonEmptyText(required=True)


class StandardOutputSchema(StrictSchema):
    """Boxes with a score for every label."""

    boxes_tensor = NonEmptyText(required=True)
    scores_tensor = NonEmptyText(required=True)


class AnchoredOutputSchema(StrictSchema):
    """Anchors with scores and box deltas for the background and every label."""

    anchors_tensor = NonEmptyText(required=True)
    scores_tensor = NonEmptyText(required=True)
    offsets_tensor = NonEmptyText(required=True)


class YoloOutputSchema(StrictSchema):
    """The YOLOv2 layout; anchors in grid cells."""

    output_tensor = NonEmptyText(required=True)
    anchors = AnchorPairs(required=True)


class Yolov3OutputSchema(StrictSchema):
    """The YOLOv3 layout, one tensor per scale; anchors in pixels of the input."""

    output_tensors = Items(NonEmptyText(), shortest=1, required=True)
    anchors = AnchorPairs(required=True)


class DetectionSchema(AlternativesSchema):
    """Boxes with labels, from exactly one layout."""

    alternatives = BOX_LAYOUTS

    thresholds = thresholds_field()
    nms_threshold = Real(
        0,
        1,
        load_default=0.3,
        metadata={"description": "The Jaccard index above which two boxes of one label are one object."},
    )
    discard_threshold = Real(
        0, 1, load_default=0.025, metadata={"description": "Candidates below it are not even discarded."}
    )
    normalize_wrt_tensor = Text(
        load_default="",
        metadata={
            "description": "The tensor that holds the input's height and width when boxes are in pixels; input_size "
            "always does. Empty: boxes are in [0, 1]."
        },
    )
    direct_output = Record(DirectOutputSchema)
    standard_output = Record(StandardOutputSchema)
    anchored_output = Record(AnchoredOutputSchema)
    yolo_output = Record(YoloOutputSchema)
    yolov3_output = Record(Yolov3OutputSchema)


class PostProcessingSchema(AlternativesSchema):
    """The post-processing of one output: exactly one of its kinds."""

    alternatives = KINDS

    classification = Record(ClassificationSchema)
    detection = Record(DetectionSchema)
