"""Draws images for networks that are to be tried: what noise does not show, a detector finds in shapes on a ground.

Every image differs from the others in brightness, colours, detail and in what is where. They are drawn, so nobody's
rights are in them, and they are the same on every machine.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

Colour = tuple[int, int, int]

_SEED = 1
_RED, _WHITE, _BLACK, _YELLOW, _SKY, _GRASS = (
    (200, 16, 24),
    (250, 250, 248),
    (18, 18, 22),
    (250, 204, 20),
    (130, 180, 236),
    (62, 118, 40),
)


def drawn_images(width: int, height: int) -> Iterator[Tensor]:
    """Return images of one size, uint8 RGB ``(3, height, width)``, one after the other as they are asked for."""
    generator = np.random.default_rng(_SEED)
    for draw in (_street, _shapes, _clouds, _table, _person, _stripes, _dark_shapes):
        pixels = np.array(draw(width, height, generator))
        yield torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


class _Canvas:
    """An image to draw on, in coordinates from 0 to 1."""

    def __init__(self, width: int, height: int, ground: Colour) -> None:
        self._size = np.array([width, height] * 2)
        self.image = Image.new("RGB", (width, height), ground)
        self._draw = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, right: float, bottom: float, colour: Colour) -> None:
        self._draw.rectangle(self._pixels(x, y, right, bottom), fill=colour)

    def ellipse(self, x: float, y: float, right: float, bottom: float, colour: Colour) -> None:
        self._draw.ellipse(self._pixels(x, y, right, bottom), fill=colour)

    def polygon(self, corners: int, x: float, y: float, radius: float, colour: Colour, *, turn: float = 0.0) -> None:
        angles = 2 * np.pi * (np.arange(corners) + turn) / corners
        reach = radius * min(self._size[:2])
        centre = np.array([x, y]) * self._size[:2]
        points = centre + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self._draw.polygon([(float(left), float(top)) for left, top in points], fill=colour)

    def _pixels(self, *corners: float) -> list[float]:
        return [float(each) for each in np.array(corners) * self._size]


def _street(width: int, height: int, _: np.random.Generator) -> Image.Image:
    """A stop sign, traffic lights and a car below a sky."""
    canvas = _Canvas(width, height, _SKY)
    canvas.box(0, 0.7, 1, 1, (84, 84, 88))
    canvas.box(0.24, 0.4, 0.26, 0.8, (120, 120, 120))
    canvas.polygon(8, 0.25, 0.3, 0.16, _WHITE, turn=0.5)
    canvas.polygon(8, 0.25, 0.3, 0.145, _RED, turn=0.5)
    canvas.box(0.17, 0.27, 0.33, 0.33, _WHITE)
    canvas.box(0.44, 0.1, 0.52, 0.4, _BLACK)
    for y, colour in ((0.12, _RED), (0.21, _YELLOW), (0.3, (40, 190, 90))):
        canvas.ellipse(0.455, y, 0.505, y + 0.07, colour)
    canvas.box(0.58, 0.62, 0.96, 0.78, (30, 60, 160))
    canvas.box(0.66, 0.52, 0.88, 0.64, (170, 205, 225))
    for x in (0.62, 0.82):
        canvas.ellipse(x, 0.72, x + 0.1, 0.84, _BLACK)
    return canvas.image


def _shapes(width: int, height: int, generator: np.random.Generator) -> Image.Image:
    return _scattered(_Canvas(width, height, (236, 232, 220)), generator, (0, 150))


def _dark_shapes(width: int, height: int, generator: np.random.Generator) -> Image.Image:
    return _scattered(_Canvas(width, height, (14, 16, 30)), generator, (110, 256))


def _scattered(canvas: _Canvas, generator: np.random.Generator, brightness: tuple[int, int]) -> Image.Image:
    """Circles, squares, triangles and pentagons of many sizes, in a grid that keeps them apart."""
    for cell in range(9):
        x, y = (cell % 3 + 0.5) / 3, (cell // 3 + 0.5) / 3
        radius = float(generator.uniform(0.06, 0.15))
        colour = tuple(int(value) for value in generator.integers(*brightness, 3))
        corners = (3, 4, 5, 48)[cell % 4]
        canvas.polygon(corners, x, y, radius, (colour[0], colour[1], colour[2]), turn=float(generator.uniform()))
    return canvas.image


def _clouds(width: int, height: int, generator: np.random.Generator) -> Image.Image:
    """Low frequencies only."""
    coarse = generator.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def _table(width: int, height: int, _: np.random.Generator) -> Image.Image:
    """A clock on a wall, and a screen, an orange and a cup on a table."""
    canvas = _Canvas(width, height, (232, 222, 200))
    canvas.box(0, 0.66, 1, 1, (124, 82, 48))
    canvas.ellipse(0.08, 0.06, 0.36, 0.34, _BLACK)
    canvas.ellipse(0.1, 0.08, 0.34, 0.32, _WHITE)
    canvas.box(0.215, 0.1, 0.225, 0.2, _BLACK)
    canvas.box(0.22, 0.195, 0.3, 0.205, _BLACK)
    canvas.box(0.42, 0.24, 0.88, 0.62, _BLACK)
    canvas.box(0.44, 0.26, 0.86, 0.58, (60, 120, 200))
    canvas.box(0.6, 0.62, 0.7, 0.7, _BLACK)
    canvas.ellipse(0.12, 0.62, 0.3, 0.82, (240, 140, 20))
    canvas.box(0.74, 0.7, 0.86, 0.88, _WHITE)
    canvas.ellipse(0.74, 0.67, 0.86, 0.73, (90, 50, 30))
    return canvas.image


def _person(width: int, height: int, _: np.random.Generator) -> Image.Image:
    """Somebody on a meadow with a ball."""
    canvas = _Canvas(width, height, _SKY)
    canvas.box(0, 0.62, 1, 1, _GRASS)
    skin = (222, 170, 136)
    canvas.ellipse(0.3, 0.1, 0.44, 0.28, skin)
    canvas.box(0.27, 0.28, 0.47, 0.56, _RED)
    canvas.box(0.21, 0.29, 0.27, 0.55, skin)
    canvas.box(0.47, 0.29, 0.53, 0.55, skin)
    canvas.box(0.28, 0.56, 0.36, 0.9, (30, 40, 90))
    canvas.box(0.38, 0.56, 0.46, 0.9, (30, 40, 90))
    canvas.ellipse(0.64, 0.74, 0.8, 0.9, _WHITE)
    canvas.polygon(5, 0.72, 0.82, 0.03, _BLACK)
    return canvas.image


def _stripes(width: int, height: int, _: np.random.Generator) -> NDArray[np.uint8]:
    """High frequencies and full contrast."""
    columns = (np.arange(width) // 4 % 2).astype(np.uint8)
    rows = (np.arange(height) // 16 % 2).astype(np.uint8)
    plane = 255 * (columns[None, :] ^ rows[:, None])
    return np.stack([plane, 255 - plane, np.full_like(plane, 255)], axis=2)
