"""The frozen description of a network: what its inputs are and how images become them.

Parsed once from the JSON that was validated when the network was created; the loader, the preprocessing and
the warm-up read it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from inference.errors import NetworkError

_TARGET_SIZE = re.compile(r"(\d+)(?:x(\d+))?", re.IGNORECASE)


class DimensionOrder(StrEnum):
    """The order of a batch's dimensions: batch, channels, height and width."""

    NCHW = "NCHW"
    NCWH = "NCWH"
    NHWC = "NHWC"
    NWHC = "NWHC"


class ResizeType(StrEnum):
    """How an image of any aspect is made to fit the target size."""

    SQUASH = "SQUASH"  # stretched to the target, aspect lost
    CROP = "CROP"  # smallest side fits, the centre is kept
    FILL = "FILL"  # largest side fits, the rest is white
    NETWORK = "NETWORK"  # largest side fits, no padding: the input's size varies


class ColorChannels(StrEnum):
    """The channels that the network expects, in order."""

    RGB = "RGB"
    BGR = "BGR"
    L = "L"


class DataType(StrEnum):
    """The element type of the input tensor."""

    FLOAT32 = "FLOAT32"
    FLOAT16 = "FLOAT16"
    UINT8 = "UINT8"


class Interpolation(StrEnum):
    """How pixels are resampled; the first two with antialiasing."""

    BILINEAR = "BILINEAR"
    BICUBIC = "BICUBIC"
    NEAREST = "NEAREST"


class Decoding(StrEnum):
    """How a file becomes pixels."""

    EXACT = "EXACT"
    SCALED = "SCALED"  # of a JPEG much larger than the target, a quarter or an eighth in each direction
    DEVICE = "DEVICE"  # JPEGs by the decoder of the GPU that runs the network; without one, as EXACT


class Precision(StrEnum):
    """The floating-point format in which the network computes; inputs and outputs keep theirs."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    AUTO = "auto"  # the fastest that agrees with float32, found at deployment


@dataclass(frozen=True)
class TargetSize:
    """The box, in pixels, that a resized image has to fill or to fit in."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``"WxH"``, or ``"N"`` for a square box: the largest side is N.

        Raises:
            NetworkError: when the text is neither, or a side is 0.
        """
        match = _TARGET_SIZE.fullmatch(str(text).strip())
        if match is None:
            raise NetworkError(f'The target size {text!r} is neither "WxH" nor "N".')
        width = int(match[1])
        height = int(match[2] or match[1])
        if width < 1 or height < 1:
            raise NetworkError(f"The target size {text!r} is empty.")
        return cls(width, height)


@dataclass(frozen=True)
class ImageSpec:
    """How an image becomes the tensor of one input; the fields mean what the HTTP contract says of them."""

    tensor_name: str
    dimension_order: DimensionOrder
    resize_type: ResizeType
    target_size: TargetSize
    color_channels: ColorChannels
    pixel_scaling: float = 255.0
    mean_file: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    data_type: DataType = DataType.FLOAT32
    interpolation: Interpolation = Interpolation.BILINEAR
    decoding: Decoding = Decoding.EXACT

    @classmethod
    def from_json(cls, network_input: Mapping[str, Any]) -> Self:
        """Parse one element of ``preprocessing.inputs``.

        Raises:
            NetworkError: when a field is missing, unknown to this version, or contradicts another.
        """
        try:
            image = network_input["image"]
            spec = cls(
                tensor_name=str(network_input["tensor_name"]),
                dimension_order=DimensionOrder(image["dimension_order"]),
                resize_type=ResizeType(image["resize_type"]),
                target_size=TargetSize.parse(image["target_size"]),
                color_channels=ColorChannels(image["color_channels"]),
                pixel_scaling=float(image.get("pixel_scaling", 255.0)),
                mean_file=image.get("mean_file") or None,
                mean=_floats(image.get("mean")),
                std=_floats(image.get("std")),
                data_type=DataType(image.get("data_type", DataType.FLOAT32)),
                interpolation=Interpolation(image.get("interpolation", Interpolation.BILINEAR)),
                decoding=Decoding(image.get("decoding", Decoding.EXACT)),
            )
        except KeyError as error:
            raise NetworkError(f"The preprocessing lacks {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise NetworkError(f"The preprocessing cannot be used: {error}.") from error
        spec._check_channels()
        return spec

    def _check_channels(self) -> None:
        if self.mean is not None and self.mean_file is not None:
            raise NetworkError("The preprocessing has both a mean and a mean file.")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != len(self.color_channels.value):
                raise NetworkError(f"The {name} needs {len(self.color_channels.value)} values, one a channel.")
        if self.std is not None and 0.0 in self.std:
            raise NetworkError("The preprocessing's std holds a zero.")


@dataclass(frozen=True)
class NetworkDescription:
    """The inputs of a network, in the order of its arguments, and what is known of its outputs.

    ``batched_output`` false: the network takes one image at a time. ``tensor_names`` names, in order, the
    tensors that the network returns, when it returns a tuple or one tensor; None keeps the default names.
    ``max_batch_size`` is its owner's word on how many images make a batch; None leaves that to measurement.
    """

    inputs: tuple[ImageSpec, ...]
    batched_output: bool = True
    tensor_names: tuple[str, ...] | None = None
    precision: Precision = Precision.FLOAT32
    max_batch_size: int | None = None

    @classmethod
    def from_json(cls, preprocessing: Mapping[str, Any], postprocessings: Sequence[Mapping[str, Any]] = ()) -> Self:
        """Parse the ``preprocessing`` and ``postprocessings`` of a network.

        Raises:
            NetworkError: when they cannot be used, with one sentence that says why.
        """
        try:
            inputs = tuple(ImageSpec.from_json(element) for element in preprocessing["inputs"])
            names = tuple(str(name) for entry in postprocessings for name in entry["tensors_output"]["tensors"])
        except (KeyError, TypeError) as error:
            raise NetworkError("The network's preprocessing or postprocessings lack a field.") from error
        try:
            precision = Precision(preprocessing.get("precision", Precision.FLOAT32))
        except ValueError as error:
            raise NetworkError(f"The preprocessing cannot be used: {error}.") from error
        if not inputs:
            raise NetworkError("The preprocessing has no input.")
        if len({spec.tensor_name for spec in inputs}) != len(inputs):
            raise NetworkError("The preprocessing names an input twice.")
        if len(set(names)) != len(names):
            raise NetworkError("The postprocessings name a tensor twice.")
        return cls(
            inputs,
            batched_output=bool(preprocessing.get("batched_output", True)),
            tensor_names=names or None,
            precision=precision,
            max_batch_size=preprocessing.get("max_batch_size"),
        )

    @property
    def mean_files(self) -> tuple[str, ...]:
        """The names of the mean files that the inputs need, each once."""
        return tuple(dict.fromkeys(spec.mean_file for spec in self.inputs if spec.mean_file is not None))


def _floats(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)
