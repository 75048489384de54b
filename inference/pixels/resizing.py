"""Resizes pixels: torchvision's result to the bit, without what its way would cost for thin and for turned images.

torchvision resizes rows before columns. That has two expensive cases. A thin, high image becomes as wide as the target
before it becomes shorter: 1x4,000,000 pixels take 400 bytes each. Where that exceeds ``MAX_INTERMEDIATE_BYTES`` and the
other order takes less than half, columns go first: bilinear values are the same to within rounding. Bicubic ones are
not, since between the axes what overshoots is cut off; such an image is refused. And an image that was turned by its
EXIF orientation has its rows spread over its memory, so that torchvision copies it pixel by pixel. Here such an image
is resized as it lies in memory, in the order that its rows have in the turned one: the same integers are added up.
"""

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from inference.errors import ImageError
from inference.network import Interpolation

MAX_INTERMEDIATE_BYTES = 128 * 1024 * 1024
MAX_RESIZED_SIDE = 8_000_000  # the weights of an axis take up to 32 bytes for each of its pixels

_MODES = {
    Interpolation.BILINEAR: InterpolationMode.BILINEAR,
    Interpolation.BICUBIC: InterpolationMode.BICUBIC,
    Interpolation.NEAREST: InterpolationMode.NEAREST,
}
_WEIGHT_BYTES = {Interpolation.BILINEAR: 16, Interpolation.BICUBIC: 32, Interpolation.NEAREST: 0}
_RESULT_BYTES = 30  # of a pixel: resized, laid on its canvas, converted to float32 and normalised
# On these torchvision resizes bytes, and between the axes there are bytes as well; elsewhere floating-point numbers.
_RESIZES_BYTES = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
_INTERMEDIATE_BYTES = 4 if _RESIZES_BYTES else 24  # of a pixel: of a copy as numbers as well


def resize(pixels: Tensor, width: int, height: int, interpolation: Interpolation) -> Tensor:
    """Return pixels ``(…, 3, height, width)`` of another size, antialiased; uint8 as they are.

    Raises:
        ImageError: as ``begins_with_columns`` does.
    """
    if interpolation is Interpolation.NEAREST or pixels.device.type != "cpu":
        return _resize(pixels, width, height, interpolation)
    is_columns_first = begins_with_columns(pixels.shape[-1], pixels.shape[-2], width, height, interpolation)
    is_turned = _RESIZES_BYTES and pixels.stride(-2) < pixels.stride(-1)
    if is_turned:
        pixels, width, height = pixels.transpose(-1, -2), height, width
    if is_turned != is_columns_first:
        pixels = _resize(pixels, pixels.shape[-1], height, interpolation)
    resized = _resize(pixels, width, height, interpolation)
    return resized.transpose(-1, -2) if is_turned else resized


def begins_with_columns(
    width: int, height: int, resized_width: int, resized_height: int, interpolation: Interpolation
) -> bool:
    """Tell whether the height of an image is to be changed before its width, which is not the order of torchvision.

    Raises:
        ImageError: if a side is very long, or the values would depend on the order by more than rounding.
    """
    sides = [side for side, resized in ((width, resized_width), (height, resized_height)) if side != resized]
    if max(sides, default=0) > MAX_RESIZED_SIDE:
        raise ImageError(
            f"The image, or the part of it that was asked for, has {width}x{height} pixels; sides of more than"
            f" {MAX_RESIZED_SIDE} are not resized. Send it in parts."
        )
    rows_first, columns_first = height * resized_width, width * resized_height
    if rows_first * _INTERMEDIATE_BYTES <= MAX_INTERMEDIATE_BYTES or rows_first <= 2 * columns_first:
        return False
    if interpolation is Interpolation.BICUBIC:
        raise ImageError(
            f"The image, or the part of it that was asked for, has {width}x{height} pixels, which is too elongated to"
            f" be resized to {resized_width}x{resized_height} by {interpolation}. Send it in parts."
        )
    return True


def bytes_to_resize(
    width: int, height: int, resized_width: int, resized_height: int, interpolation: Interpolation
) -> int:
    """Return how much memory ``resize`` takes at its peak, its result and what is made of that included.

    Raises:
        ImageError: as ``begins_with_columns`` does.
    """
    result = resized_width * resized_height * _RESULT_BYTES
    if interpolation is Interpolation.NEAREST:
        return result
    is_columns_first = begins_with_columns(width, height, resized_width, resized_height, interpolation)
    between = width * resized_height if is_columns_first else height * resized_width
    weights = _WEIGHT_BYTES[interpolation] * (width + height + 2 * (resized_width + resized_height))
    return result + _INTERMEDIATE_BYTES * between + weights


def _resize(pixels: Tensor, width: int, height: int, interpolation: Interpolation) -> Tensor:
    # torchvision keeps the strides of the decoder (channels last), which makes this the fastest way as well.
    resized: Tensor = transforms.resize(pixels, [height, width], _MODES[interpolation], antialias=True)
    return resized
