"""How the inputs of a network are prepared: ``preprocessing`` of a network.

Defaults are filled in here, so a stored network says all that it does.
"""

import re
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema
from marshmallow.validate import OneOf, Regexp

from api.schemas.fields import Flag, Items, Real, Record, StrictSchema, Text, Whole

CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
LARGEST_SIDE = 16384
SIZE = re.compile(r"[1-9]\d{0,4}(x[1-9]\d{0,4})?", re.ASCII)
MEAN_FILE = re.compile(r"([^/\\\x00]+\.npy)?\Z")


def _check_size(value: str) -> None:
    if not SIZE.fullmatch(value) or max(map(int, value.split("x"))) > LARGEST_SIDE:
        raise ValidationError(f'Must be "WxH" or "N", in pixels from 1 to {LARGEST_SIDE}.')


class NonEmptyText(Text):
    """A string that says something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"minLength": 1, "pattern": r"\S", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.strip():
            raise ValidationError("Must not be empty.")
        return text


class ImagePreparationSchema(StrictSchema):
    """From an image to one tensor."""

    dimension_order = Text(required=True, validate=OneOf(["NCHW", "NCWH", "NHWC", "NWHC"]))
    resize_type = Text(
        required=True,
        validate=OneOf(["SQUASH", "CROP", "FILL", "NETWORK"]),
        metadata={
            "description": "SQUASH loses the aspect; CROP fits the smallest side and cuts the centre; FILL fits the "
            "largest side and fills with white; NETWORK fits the largest side, for networks that take any size."
        },
    )
    target_size = Text(
        required=True,
        validate=_check_size,
        metadata={"example": "224x224", "description": '"WxH", or "N" (the largest side).'},
    )
    color_channels = Text(required=True, validate=OneOf(list(CHANNELS)))
    pixel_scaling = Real(
        load_default=255.0, metadata={"description": "Pixels are scaled to [0, pixel_scaling]; above 0."}
    )
    mean_file = Text(
        validate=Regexp(MEAN_FILE, error="Must be the name of an .npy file, without a folder."),
        metadata={
            "pattern": r"^([^/\\\x00]+\.npy)?$",
            "description": "An .npy file of the upload in HWC order, subtracted after scaling.",
        },
    )
    mean = Items(Real(), metadata={"description": "One number per channel, subtracted after scaling."})
    std = Items(Real(), metadata={"description": "One number per channel, divided by after the mean."})
    data_type = Text(load_default="FLOAT32", validate=OneOf(["FLOAT32", "FLOAT16", "UINT8"]))
    interpolation = Text(load_default="BILINEAR", validate=OneOf(["BILINEAR", "BICUBIC", "NEAREST"]))
    decoding = Text(
        load_default="EXACT",
        validate=OneOf(["EXACT", "SCALED", "DEVICE"]),
        metadata={
            "description": "SCALED: a JPEG of six times its resized size or more is decoded at a quarter or an eighth "
            "of its own, 1.3 to 3 times as fast; values differ by about 1 of 255, by up to 45 in fine patterns. "
            "DEVICE: a worker with a GPU has that decode JPEGs, and its cores are free for other things; values differ "
            "by about 1 of 255, by up to 16."
        },
    )

    @validates_schema
    def check_numbers(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse numbers that do not fit the channels, and two means."""
        channels = CHANNELS[data["color_channels"]]
        for name in ("mean", "std"):
            if name in data and len(data[name]) != channels:
                raise ValidationError(f"Must have {channels} numbers, one per channel.", name)
        if not all(data.get("std", [1])):
            raise ValidationError("Must not contain 0.", "std")
        if data["pixel_scaling"] <= 0:
            raise ValidationError("Must be above 0.", "pixel_scaling")
        if data.get("mean_file") and "mean" in data:
            raise ValidationError("Give either mean or mean_file.", "mean")


class NetworkInputSchema(StrictSchema):
    """One argument of the network."""

    refused: ClassVar[dict[str, str]] = {"video": "Videos are not supported; only images are."}

    tensor_name = NonEmptyText(required=True, metadata={"example": "input"})
    image = Record(ImagePreparationSchema, required=True)


class PreprocessingSchema(StrictSchema):
    """All arguments of the network, in its order."""

    inputs = Items(Record(NetworkInputSchema), shortest=1, required=True)
    batched_output = Flag(load_default=True, metadata={"description": "false: the network takes one image at a time."})
    precision = Text(
        load_default="float32",
        validate=OneOf(["float32", "bfloat16", "float16", "auto"]),
        metadata={
            "description": "What the network computes in. auto: the fastest that agrees with float32 within 2 % of "
            "what is usual in an output, on the device that deploys it; the deployment says what was chosen, and why."
        },
    )
    max_batch_size = Whole(
        1,
        metadata={"description": "How many images make a batch at most; left out, the deployment finds it by timing."},
    )

    @validates_schema
    def check_names(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse two inputs of one name."""
        names = [item["tensor_name"] for item in data["inputs"]]
        if len(set(names)) != len(names):
            raise ValidationError("Every input must have a tensor_name of its own.", "inputs")


def mean_files_of(preprocessing: dict[str, Any]) -> set[str]:
    """Return the names of the files that a validated ``preprocessing`` needs."""
    return {item["image"]["mean_file"] for item in preprocessing["inputs"] if item["image"].get("mean_file")}
