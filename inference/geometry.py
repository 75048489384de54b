"""Where the pixels of a network input come from: exact arithmetic of crops, resizes and paddings.

The preprocessing plans with it before it touches a pixel; the post-processing maps boxes back with the
:class:`Placement` that results. No pixels here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.network import ResizeType, TargetSize


@dataclass(frozen=True)
class Crop:
    """A rectangle of whole pixels of the original image: ``left <= x < left + width``, likewise for y."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Fit:
    """How a crop becomes a network input: resized, then laid on a canvas.

    The resized image has ``resized_width`` x ``resized_height`` pixels and its left top corner lies at
    ``(offset_x, offset_y)`` of a canvas of ``canvas_width`` x ``canvas_height``; negative offsets cut it off.
    """

    resized_width: int
    resized_height: int
    canvas_width: int
    canvas_height: int
    offset_x: int
    offset_y: int


@dataclass(frozen=True)
class Placement:
    """The affine map from normalised coordinates of a network input to those of the original image.

    ``x_image = scale_x * x_input + shift_x``, likewise for y; both are 0 at the left or top edge of the first
    pixel and 1 at the right or bottom edge of the last one.
    """

    scale_x: float
    shift_x: float
    scale_y: float
    shift_y: float

    @classmethod
    def of(cls, crop: Crop, fit: Fit, image_width: int, image_height: int) -> "Placement":
        """Return the placement of ``crop`` of an image of the given size, laid out by ``fit``."""
        pixels_x = crop.width / fit.resized_width  # pixels of the original for one of the input
        pixels_y = crop.height / fit.resized_height
        return cls(
            scale_x=fit.canvas_width * pixels_x / image_width,
            shift_x=(crop.left - fit.offset_x * pixels_x) / image_width,
            scale_y=fit.canvas_height * pixels_y / image_height,
            shift_y=(crop.top - fit.offset_y * pixels_y) / image_height,
        )

    def to_image(self, boxes: Tensor) -> Tensor:
        """Map boxes ``(..., 4)`` of ``xmin ymin xmax ymax`` to the original image: float64, not clipped."""
        scale = torch.tensor([self.scale_x, self.scale_y, self.scale_x, self.scale_y], dtype=torch.float64)
        shift = torch.tensor([self.shift_x, self.shift_y, self.shift_x, self.shift_y], dtype=torch.float64)
        return boxes.to(torch.float64) * scale + shift


def fit_of(width: int, height: int, resize_type: ResizeType, target: TargetSize) -> Fit:
    """Return how an image of ``width`` x ``height`` pixels is made to fit ``target``.

    The side that decides the scale becomes exactly the target's; the other one is rounded down, as
    torchvision's ``resize`` does, and never to 0. A centre crop starts where torchvision's ``center_crop``
    starts it.
    """
    if resize_type is ResizeType.SQUASH:
        return Fit(target.width, target.height, target.width, target.height, 0, 0)
    width_decides = target.width * height <= target.height * width  # the width is the relatively longer side
    if resize_type is ResizeType.CROP:
        width_decides = not width_decides
    if width_decides:
        resized_width, resized_height = target.width, max(1, target.width * height // width)
    else:
        resized_width, resized_height = max(1, target.height * width // height), target.height
    if resize_type is ResizeType.NETWORK:
        return Fit(resized_width, resized_height, resized_width, resized_height, 0, 0)
    if resize_type is ResizeType.FILL:
        offset_x, offset_y = (target.width - resized_width) // 2, (target.height - resized_height) // 2
    else:
        offset_x = -round((resized_width - target.width) / 2)
        offset_y = -round((resized_height - target.height) / 2)
    return Fit(resized_width, resized_height, target.width, target.height, offset_x, offset_y)
