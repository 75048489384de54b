"""Draws the images that the demo models are trained and evaluated on; every scene is a function of its seed.

Called by the training scripts, the evaluation, `demo.draw` and the tests.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from demo import LABELS
from demo.backgrounds import Colour, Pixels, displayable, random_background, random_colour
from demo.shapes import Points, ShapeMask, place, polygon_of, shape_mask

Box = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax in pixels, max exclusive

_MAX_OVERLAP = 0.1  # of the smaller of two boxes
_PLACING_ATTEMPTS = 12


@dataclass(frozen=True)
class SceneOptions:
    """What a scene may hold. Sizes are shares of the canvas's shorter side."""

    min_shapes: int = 1
    max_shapes: int = 1
    min_size: float = 0.25
    max_size: float = 0.95
    kind: str | None = None  # None: any
    shortest_side: int = 128  # pixels, of the canvas's longer side
    longest_side: int = 640


@dataclass(frozen=True)
class DrawnShape:
    """One shape of a scene: its label (an index of `LABELS`) and its exact bounding box."""

    label: int
    box: Box


@dataclass(frozen=True)
class Scene:
    """A drawn image (height, width, RGB) and what there is to find in it."""

    pixels: NDArray[np.uint8]
    shapes: tuple[DrawnShape, ...]


ONE_SHAPE = SceneOptions()
SEVERAL_SHAPES = SceneOptions(min_shapes=1, max_shapes=6, min_size=0.15, max_size=0.9)


def draw_scene(seed: int, options: SceneOptions = ONE_SHAPE) -> Scene:
    """Draw the scene of this seed. The same seed and options always give the same pixels."""
    rng = np.random.default_rng(seed)
    width, height = _canvas_size(options, rng)
    pixels = random_background(width, height, rng)
    if rng.random() < 0.25:
        _draw_distractors(pixels, rng)
    shapes: list[DrawnShape] = []
    for size in _sizes(min(width, height), options, rng):
        kind = options.kind or LABELS[rng.integers(len(LABELS))]
        taken = [shape.box for shape in shapes]
        mask = _placed_mask(kind, size, (width, height), taken, rng)
        if mask is not None:
            _paint(pixels, mask, rng)
            shapes.append(DrawnShape(LABELS.index(kind), mask.box))
    return Scene(_spoiled(pixels, rng), tuple(shapes))


def _canvas_size(options: SceneOptions, rng: np.random.Generator) -> tuple[int, int]:
    longer = float(np.exp(rng.uniform(np.log(options.shortest_side), np.log(options.longest_side))))
    aspect = 1.0 if rng.random() < 0.3 else rng.uniform(1.0, 1.9)
    longer, shorter = round(longer), round(longer / aspect)
    return (longer, shorter) if rng.random() < 0.6 else (shorter, longer)


def _sizes(shorter_side: int, options: SceneOptions, rng: np.random.Generator) -> list[float]:
    """Choose each shape's longest side in pixels; largest first, as large ones are the hardest to place."""
    count = int(rng.integers(options.min_shapes, options.max_shapes + 1))
    # Several shapes need room: the more of them, the smaller the largest may be.
    largest = max(options.min_size, options.max_size / max(1.0, 0.62 * count))
    sizes = np.exp(rng.uniform(np.log(options.min_size), np.log(largest), count)) * shorter_side
    return sorted((float(size) for size in sizes), reverse=True)


def _placed_mask(
    kind: str, size: float, canvas: tuple[int, int], taken: list[Box], rng: np.random.Generator
) -> ShapeMask | None:
    """Place one shape where it hardly overlaps those already there; None when there is no room."""
    antialiased = bool(rng.random() < 0.7)
    upright = rng.random() < 0.45
    angle = 0.0 if upright else rng.uniform(0, 2 * np.pi)
    wobble = rng.uniform(0.005, 0.03) if rng.random() < 0.12 else 0.0
    line_width = _line_width(size, max(canvas), rng)
    points = place(polygon_of(kind, rng), size - line_width, angle, wobble, rng)
    extent = points.max(axis=0) + line_width
    for _ in range(_PLACING_ATTEMPTS):
        corner = rng.uniform((0.0, 0.0), np.maximum(np.array(canvas) - extent, 0.0))
        moved: Points = points + corner + line_width / 2
        mask = shape_mask(moved, canvas, line_width=line_width, antialiased=antialiased)
        if mask is not None and all(_overlap(mask.box, box) <= _MAX_OVERLAP for box in taken):
            return mask
    return None


def _line_width(size: float, longer_side: int, rng: np.random.Generator) -> float:
    """0 for a shape without a line; else at least a pixel, and never so thin that resizing would erase it."""
    if rng.random() < 0.4:
        return 0.0
    thinnest = max(1.0, longer_side / 600)
    thickest = max(thinnest, 0.12 * size)
    return float(np.exp(rng.uniform(np.log(thinnest), np.log(thickest))))


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / min(areas)


def _paint(pixels: Pixels, mask: ShapeMask, rng: np.random.Generator) -> None:
    """Colour a shape in place: filled, lined, or both."""
    xmin, ymin, xmax, ymax = mask.box
    region = pixels[ymin:ymax, xmin:xmax]
    area, edge = (m.astype(np.float32)[..., None] / 255 for m in (mask.area, mask.edge))
    lined = bool(mask.edge.any())
    hollow = lined and rng.random() < 0.6
    thin = lined and float((mask.edge > 0).mean()) < 0.12
    behind = region.reshape(-1, 3)[:: max(1, region.size // 6000)]  # a sample is enough to judge contrast
    contrast = 80 if not hollow else 170 if thin else 110
    colour = _visible_colour(behind, contrast, rng)
    if hollow:
        region += edge * (colour - region)
        return
    region += area * (_fill(colour, region.shape, rng) - region)
    if lined:
        line_colour = random_colour(rng) if rng.random() < 0.7 else colour
        region += edge * (line_colour - region)


def _fill(colour: Colour, shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    """Mostly one colour; sometimes shaded or grainy."""
    choice = rng.random()
    if choice < 0.85:
        return np.broadcast_to(colour, shape)
    if choice < 0.93:
        ramp = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None, None]
        return displayable(colour + ramp * rng.uniform(-35, 35, 3).astype(np.float32))
    grain = rng.normal(0, rng.uniform(4, 15), (*shape[:2], 1)).astype(np.float32)
    return displayable(colour + grain)


def _visible_colour(behind: Pixels, contrast: float, rng: np.random.Generator) -> Colour:
    """Choose a colour that stands out from these pixels by at least `contrast` (distance in RGB)."""
    centre = behind.mean(axis=0)
    needed = contrast + 1.8 * float(behind.std(axis=0).max())
    for _ in range(20):
        colour = random_colour(rng)
        if float(np.linalg.norm(colour - centre)) >= needed:
            return colour
    return np.full(3, 0 if centre.mean() > 127 else 255, np.float32)


def _draw_distractors(pixels: Pixels, rng: np.random.Generator) -> None:
    """Add a few lines and specks, which are no shapes."""
    height, width = pixels.shape[:2]
    longer_side = max(height, width)
    for _ in range(int(rng.integers(0, 3))):
        ends: Points = rng.uniform(0, 1, (2, 2)) * (width, height)
        line = np.concatenate([ends, ends[:1]])
        line_width = rng.uniform(1, max(1.5, 0.01 * longer_side))
        _ink(pixels, shape_mask(line, (width, height), line_width=line_width, antialiased=True), rng)
    for _ in range(int(rng.integers(0, 9))):
        speck = place(polygon_of("circle", rng), max(1.0, rng.uniform(0.003, 0.012) * longer_side), 0, 0, rng)
        moved: Points = speck + rng.uniform(0, 1, 2) * (width, height)
        _ink(pixels, shape_mask(moved, (width, height), line_width=0, antialiased=True), rng)


def _ink(pixels: Pixels, mask: ShapeMask | None, rng: np.random.Generator) -> None:
    if mask is None:
        return
    xmin, ymin, xmax, ymax = mask.box
    region = pixels[ymin:ymax, xmin:xmax]
    region += mask.area.astype(np.float32)[..., None] / 255 * (random_colour(rng) - region)


def _spoiled(pixels: Pixels, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Do what cameras and files do to an image: blur, grain, JPEG; four in ten stay as drawn."""
    image = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        return np.asarray(image)
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.5 + 0.003 * max(image.size))))
    if rng.random() < 0.3:
        grain = rng.normal(0, rng.uniform(1, 10), (image.height, image.width, 3)).astype(np.float32)
        image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    if rng.random() < 0.6:
        encoded = BytesIO()
        image.save(encoded, "JPEG", quality=int(rng.integers(30, 96)))
        image = Image.open(encoded).convert("RGB")
    return np.asarray(image)
