"""JPEG decoding at a quarter or an eighth of the size, for networks that ask for it (``decoding: SCALED``).

A JPEG file holds the frequencies of blocks of 8x8 pixels, and libjpeg can make 2x2 pixels, or one, from the lowest
ones alone. Where the network's input is much smaller than the image, that spares most of the decoding and of the
resize. All coordinates remain those of the full image: regions, sizes of inputs and the way back of boxes are the same
as without, and the pixels nearly so. The worker plans with it before it decodes; :mod:`inference.preprocess` cuts with
it.
"""

from dataclasses import dataclass
from math import ceil, floor

from torch import Tensor

from inference.geometry import Crop, fit_of
from inference.image_files.orientation import MIRRORED_X, MIRRORED_Y, TURNED
from inference.images import EncodedImage, EncodedJpeg
from inference.network import Decoding, ImageSpec, Interpolation
from inference.regions import Region, crop_of

FACTORS = (8, 4)  # a half spares less than a fifth of the time
# How much larger than the resized image, in both directions, the reduced one must be. With less, fine patterns come out
# visibly different; with this, by 45 of 255 at most.
MARGIN = 1.5

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Reduction:
    """How a reduced image lies in the full one, both upright.

    What is at ``x`` in pixels of the full image, which is ``width`` wide, is at ``x / factor + shift_x`` in those of
    the reduced one; likewise for y. A row that does not divide by the factor sticks out of the full image by a part of
    its last pixel, which is its first where the image was mirrored: hence the shift.
    """

    factor: int
    width: int
    height: int
    shift_x: float
    shift_y: float

    def cut(self, reduced: Tensor, crop: Crop) -> tuple[Tensor, Box | None]:
        """Return a view of the pixels of ``reduced`` ``(3, height, width)`` that ``crop`` of the full image touches.

        With it comes where the crop lies in them, left, top, right and bottom; None if that is all of them.
        """
        left = crop.left / self.factor + self.shift_x
        top = crop.top / self.factor + self.shift_y
        right = left + crop.width / self.factor
        bottom = top + crop.height / self.factor
        x, y = floor(left), floor(top)
        pixels = reduced[:, y : ceil(bottom), x : ceil(right)]
        height, width = pixels.shape[-2:]
        box = (left - x, top - y, right - x, bottom - y)
        return pixels, None if box == (0, 0, width, height) else box


def reduce_for(image: EncodedImage, region: Region, spec: ImageSpec) -> Reduction | None:
    """Have an image decoded no larger than its use needs, if that may be and spares anything; None if not.

    A polygon and the search for the foreground look at single pixels, and so does ``NEAREST``: they have them all.
    """
    if spec.decoding is not Decoding.SCALED or spec.interpolation is Interpolation.NEAREST:
        return None
    if region.polygon is not None or region.crop_uniform_background or not isinstance(image, EncodedJpeg):
        return None
    orientation = image.orientation
    width, height = image.width, image.height
    if orientation in TURNED:
        width, height = height, width
    crop = crop_of(region.bbox, width, height)
    fit = fit_of(crop.width, crop.height, spec.resize_type, spec.target_size)
    largest = min(crop.width / fit.resized_width, crop.height / fit.resized_height) / MARGIN
    factor = next((factor for factor in FACTORS if factor <= largest), None)
    if factor is None:
        return None
    image.reduce(factor)
    return Reduction(
        factor,
        width,
        height,
        shift_x=-width % factor / factor if orientation in MIRRORED_X else 0.0,
        shift_y=-height % factor / factor if orientation in MIRRORED_Y else 0.0,
    )
