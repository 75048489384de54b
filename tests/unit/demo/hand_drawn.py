"""Images as a new user draws them first, with plain calls of Pillow's ImageDraw."""

import math
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from demo import LABELS


@dataclass(frozen=True)
class Drawn:
    """One shape: its kind, centre and half its size in pixels; `outline` alone leaves it hollow."""

    kind: str
    x: int
    y: int
    radius: int
    fill: str | None = None
    outline: str | None = None
    width: int = 1

    @property
    def label(self) -> int:
        return LABELS.index(self.kind)


def image_of(size: tuple[int, int], background: str, *shapes: Drawn, image_format: str = "PNG") -> bytes:
    """The encoded image with these shapes on it."""
    image = Image.new("RGB", size, background)
    canvas = ImageDraw.Draw(image)
    for shape in shapes:
        _draw(canvas, shape)
    encoded = BytesIO()
    image.save(encoded, image_format)
    return encoded.getvalue()


def _draw(canvas: ImageDraw.ImageDraw, shape: Drawn) -> None:
    x, y, radius = shape.x, shape.y, shape.radius
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape.kind == "circle":
        canvas.ellipse(box, shape.fill, shape.outline, shape.width)
    elif shape.kind == "square":
        canvas.rectangle(box, shape.fill, shape.outline, shape.width)
    elif shape.kind == "triangle":
        corners = [(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)]
        canvas.polygon(corners, shape.fill, shape.outline, shape.width)
    else:
        tips = [
            (x + reach * math.sin(math.pi / 5 * i), y - reach * math.cos(math.pi / 5 * i))
            for i, reach in enumerate([radius, 0.45 * radius] * 5)
        ]
        canvas.polygon(tips, shape.fill, shape.outline, shape.width)
