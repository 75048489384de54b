"""The four shapes as polygons, and their masks, drawn with or without antialiasing.

`demo.scenes` puts them on backgrounds; a shape's bounding box is read from its mask, so it is exact by
construction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]  # (n, 2), x and y
Mask = NDArray[np.uint8]  # (height, width), coverage from 0 to 255

_SLIVER_ANGLE_DEGREES = 27  # a triangle's smallest angle
_LARGE_SIDE_PIXELS = 400  # above, a mask is supersampled less: its edges are fine enough


@dataclass(frozen=True)
class ShapeMask:
    """Where a shape lies on its canvas. `area` covers the whole shape, `ink` what is drawn of it.

    Both have the size of `box` (xmin, ymin, xmax, ymax in pixels, max exclusive), the smallest box that holds
    every touched pixel. `edge` is the shape's line, for shapes that are filled and lined in two colours.
    """

    box: tuple[int, int, int, int]
    area: Mask
    edge: Mask


def polygon_of(kind: str, rng: np.random.Generator) -> Points:
    """One random polygon of this kind, unrotated, around the origin, its largest radius near 1."""
    builders = {"circle": _circle, "square": _square, "triangle": _triangle, "star": _star}
    return builders[kind](rng)


def place(points: Points, size: float, angle: float, wobble: float, rng: np.random.Generator) -> Points:
    """Rotate by `angle` (radians), roughen as a hand would (`wobble`, a share of the size), scale to `size`.

    The result's bounding box starts at (0, 0) and its longest side is `size` pixels.
    """
    if wobble > 0:
        points = _wobbled(points, wobble, rng)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotated = points @ rotation.T
    low, high = rotated.min(axis=0), rotated.max(axis=0)
    placed: Points = (rotated - low) * (size / float((high - low).max()))
    return placed


def shape_mask(
    points: Points, canvas_size: tuple[int, int], *, line_width: float, antialiased: bool
) -> ShapeMask | None:
    """Draw a polygon, in canvas pixels, with a line of `line_width` pixels centred on its border (0: none).

    What lies outside of the canvas is cut off. None when nothing is left.
    """
    width, height = canvas_size
    margin = line_width / 2 + 2
    left, top = (max(0, int(v)) for v in np.floor(points.min(axis=0) - margin))
    right = min(width, int(np.ceil(points[:, 0].max() + margin)))
    bottom = min(height, int(np.ceil(points[:, 1].max() + margin)))
    if right <= left or bottom <= top:
        return None
    scale = _supersampling(max(right - left, bottom - top)) if antialiased else 1
    # Pillow's coordinates are pixel centres, ours are edges: hence the half pixel.
    local = (points - (left, top)) * scale - 0.5
    size = ((right - left) * scale, (bottom - top) * scale)
    edge = _line_mask(local, size, line_width * scale)
    area = Image.new("L", size)
    ImageDraw.Draw(area).polygon(_pairs(local), fill=255)
    area.paste(255, mask=edge)
    if scale > 1:
        area, edge = area.reduce(scale), edge.reduce(scale)
    found = area.getbbox()
    if found is None:
        return None
    box = (left + found[0], top + found[1], left + found[2], top + found[3])
    return ShapeMask(box=box, area=np.asarray(area.crop(found)), edge=np.asarray(edge.crop(found)))


def _supersampling(side: int) -> int:
    return 4 if side < _LARGE_SIDE_PIXELS else 2


def _pairs(points: Points) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _line_mask(points: Points, size: tuple[int, int], line_width: float) -> Image.Image:
    mask = Image.new("L", size)
    if line_width <= 0:
        return mask
    closed = _pairs(np.concatenate([points, points[:2]]))
    # Two points more than the polygon: so the join at its start is drawn round, too.
    ImageDraw.Draw(mask).line(closed, fill=255, width=max(1, round(line_width)), joint="curve")
    return mask


def _circle(rng: np.random.Generator) -> Points:
    squeeze = rng.uniform(1.0, 1.15) if rng.random() < 0.3 else 1.0
    angles = np.arange(64) * (2 * np.pi / 64)
    return np.stack([np.cos(angles), np.sin(angles) / squeeze], axis=1)


def _square(rng: np.random.Generator) -> Points:
    stretch = rng.uniform(1.0, 1.2) if rng.random() < 0.3 else 1.0
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (1.0, 1.0 / stretch)


def _triangle(rng: np.random.Generator) -> Points:
    if rng.random() < 0.3:  # the equilateral one, point up, is what most people draw
        angles = np.radians([-90.0, 30.0, 150.0])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    spare = 180 - 3 * _SLIVER_ANGLE_DEGREES
    corners = np.radians(_SLIVER_ANGLE_DEGREES + spare * rng.dirichlet([2.0, 2.0, 2.0]))
    # The arc that a corner sees of the circle through all three is twice its angle.
    angles = np.cumsum(2 * corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star(rng: np.random.Generator) -> Points:
    if rng.random() < 0.08:  # drawn without lifting the pen, so the lines cross
        angles = np.radians(-90 + 144 * np.arange(5))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner_radius = 0.382 if rng.random() < 0.4 else rng.uniform(0.3, 0.55)  # 0.382: the pentagram's
    angles = np.radians(-90 + 36 * np.arange(10))
    radii = np.where(np.arange(10) % 2 == 0, 1.0, inner_radius)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _wobbled(points: Points, wobble: float, rng: np.random.Generator) -> Points:
    if len(points) < 64:
        steps = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
        following = np.roll(points, -1, axis=0)
        points = (points[:, None] * (1 - steps) + following[:, None] * steps).reshape(-1, 2)
    noise = rng.normal(size=(len(points), 2))
    kernel = np.array([1, 2, 3, 2, 1]) / np.sqrt(19)
    smooth = np.stack([np.convolve(np.pad(n, 2, mode="wrap"), kernel, "valid") for n in noise.T], axis=1)
    roughened: Points = points + wobble * smooth
    return roughened
