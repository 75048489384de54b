"""The images that every contender is sent: seeded JPEGs of one size. The clients, who need no more, load no torch."""

import io

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 640, 480
IMAGE_COUNT = 64
JPEG_QUALITY = 90


def jpegs() -> list[bytes]:
    """Return photo-like images: smooth shapes with fine noise, about 100 kB each."""
    random = np.random.default_rng(0)
    return [_jpeg(random) for _ in range(IMAGE_COUNT)]


def _jpeg(random: np.random.Generator) -> bytes:
    coarse = Image.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse, np.int16) + random.integers(-12, 12, (HEIGHT, WIDTH, 3), np.int16)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
