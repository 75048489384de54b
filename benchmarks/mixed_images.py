"""Images of many sizes and formats, the same ones each time."""

import io

import numpy as np
from PIL import Image

SHORTEST_SIDE, LONGEST_SIDE = 32, 2048
FORMATS = ("JPEG", "JPEG", "JPEG", "PNG", "WEBP")


def mixed_images(count: int) -> list[bytes]:
    """Return so many seeded images whose sides are spread evenly over the powers of two, in several formats."""
    random = np.random.default_rng(0)
    return [_image(random, FORMATS[number % len(FORMATS)]) for number in range(count)]


def _image(random: np.random.Generator, file_format: str) -> bytes:
    width, height = (int(side) for side in 2 ** random.uniform(np.log2(SHORTEST_SIDE), np.log2(LONGEST_SIDE), 2))
    coarse = Image.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8))
    buffer = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(buffer, file_format)
    return buffer.getvalue()
