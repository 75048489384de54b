"""Which part of an image is recognised: a box, a polygon, or the foreground of a uniform background.

The preprocessing cuts with it before it resizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from inference.errors import ImageError
from inference.geometry import Crop

# How far, in gray levels of any channel, a pixel may be from the background's colour and still belong to it:
# above the noise of JPEG, below what the eye calls another colour.
BACKGROUND_TOLERANCE = 24
# The part of the border's pixels that must have one colour for a background to be called uniform; the rest
# may be objects that reach the border.
UNIFORM_BORDER_PART = 0.5
BAND_PIXELS = 1_000_000
# Each edge of a polygon may cost a pass over all rows of the image.
MAX_POLYGON_POINTS = 10_000


@dataclass(frozen=True)
class BBox:
    """A box normalised to the image: 0 is the left or top edge, 1 the right or bottom edge."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Point:
    """A point normalised to the image."""

    x: float
    y: float


@dataclass(frozen=True)
class Region:
    """What of an image is recognised; ``bbox`` and ``polygon`` exclude each other."""

    bbox: BBox | None = None
    polygon: tuple[Point, ...] | None = None
    crop_uniform_background: bool = False

    @classmethod
    def from_json(cls, image_input: Mapping[str, Any]) -> Self:
        """Read the region of a validated image input of the HTTP API."""
        bbox, polygon = image_input.get("bbox"), image_input.get("polygon")
        return cls(
            bbox=None if bbox is None else BBox(*(float(bbox[key]) for key in ("xmin", "ymin", "xmax", "ymax"))),
            polygon=None if polygon is None else tuple(Point(float(p["x"]), float(p["y"])) for p in polygon),
            crop_uniform_background=bool(image_input.get("crop_uniform_background", False)),
        )


WHOLE_IMAGE = Region()


def cut(image: Tensor, region: Region) -> tuple[Tensor, Crop]:
    """Return the pixels ``(3, h, w)`` of a region of ``image`` ``(3, height, width)``, and where they were.

    The result is a view of ``image`` unless a polygon whitens what lies around it. A region has a pixel at least. Of
    several images at once, ``(n, 3, height, width)``, the foreground cannot be looked for.

    Raises:
        ImageError: when a polygon has too many points.
    """
    height, width = image.shape[-2:]
    crop = crop_of(region.bbox, width, height)
    if region.bbox is not None:
        image = _view(image, crop)
    elif region.polygon is not None:
        if len(region.polygon) > MAX_POLYGON_POINTS:
            raise ImageError(f"The polygon has more than {MAX_POLYGON_POINTS} points.")
        xs, ys = [point.x for point in region.polygon], [point.y for point in region.polygon]
        crop = crop_of(BBox(min(xs), min(ys), max(xs), max(ys)), width, height)
        inside = torch.from_numpy(_polygon_mask(region.polygon, crop, width, height))
        image = torch.where(inside, _view(image, crop), 255)
    if region.crop_uniform_background:
        inner = _foreground(image)
        image = _view(image, inner)
        crop = Crop(crop.left + inner.left, crop.top + inner.top, inner.width, inner.height)
    return image, crop


def crop_of(bbox: BBox | None, width: int, height: int) -> Crop:
    """Return the pixels of a box of an image of the given size: all of them if there is none."""
    if bbox is None:
        return Crop(0, 0, width, height)
    left, right = _pixel_range(bbox.xmin, bbox.xmax, width)
    top, bottom = _pixel_range(bbox.ymin, bbox.ymax, height)
    return Crop(left, top, right - left, bottom - top)


def _view(image: Tensor, crop: Crop) -> Tensor:
    return image[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]


def _pixel_range(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixel edges nearest to a normalised interval, in the image and one pixel apart at least."""
    start = min(max(round(low * size), 0), size - 1)
    return start, max(min(round(high * size), size), start + 1)


def _polygon_mask(polygon: Sequence[Point], crop: Crop, width: int, height: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which pixels of ``crop`` have their centre inside the polygon, by the even-odd rule.

    Each edge toggles, in every row whose centre line it crosses, the pixels to the right of the crossing; a
    running exclusive-or along the rows then says inside or outside.
    """
    toggles = np.zeros((crop.height, crop.width + 1), dtype=np.bool_)
    xs = np.array([point.x * width - crop.left for point in polygon])
    ys = np.array([point.y * height - crop.top for point in polygon])
    for x0, y0, x1, y1 in zip(xs, ys, np.roll(xs, -1), np.roll(ys, -1), strict=True):
        first, last = (int(np.clip(np.ceil(y - 0.5), 0, crop.height)) for y in sorted((y0, y1)))
        rows = np.arange(first, last)
        if rows.size:
            crossings = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.clip(np.ceil(crossings - 0.5), 0, crop.width).astype(np.intp)
            toggles[rows, columns] ^= True
    inside: np.ndarray[Any, np.dtype[np.bool_]] = np.logical_xor.accumulate(toggles[:, :-1], axis=1)
    return inside


def _foreground(image: Tensor) -> Crop:
    """Return the bounding box of what differs from the background; the whole image if that is not uniform.

    The background's colour is the median of the border. An image of one colour is kept whole as well.
    """
    height, width = image.shape[-2:]
    whole = Crop(0, 0, width, height)
    border = torch.cat([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], dim=1).to(torch.int16)
    background = border.median(dim=1, keepdim=True).values
    belongs = (border - background).abs().amax(dim=0) <= BACKGROUND_TOLERANCE
    if belongs.float().mean() < UNIFORM_BORDER_PART:
        return whole
    bands = torch.split(image, max(1, BAND_PIXELS // width), dim=1)  # differences take several times the image's memory
    differs = torch.cat(
        [(band.to(torch.int16) - background[..., None]).abs().amax(dim=0) > BACKGROUND_TOLERANCE for band in bands]
    )
    columns, rows = differs.any(dim=0).nonzero().flatten(), differs.any(dim=1).nonzero().flatten()
    if not len(columns):
        return whole
    left, top = int(columns[0]), int(rows[0])
    return Crop(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
