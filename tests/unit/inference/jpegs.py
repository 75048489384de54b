"""JPEG files that look like photographs, and what becomes of them on bad disks."""

import io
from typing import Any

import numpy as np
from PIL import Image


def photo(width: int = 64, height: int = 48, mode: str = "RGB", image_format: str = "JPEG", **options: Any) -> bytes:
    noise = np.random.default_rng(width).integers(0, 256, (12, 16, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def damaged(jpeg: bytes) -> bytes:
    """Return a JPEG whose header is whole and whose pixels cannot be decoded."""
    start = jpeg.index(b"\xff\xc4") + 5  # the first Huffman table: more codes than there can be
    return jpeg[:start] + b"\xff" * 16 + jpeg[start + 16 :]
