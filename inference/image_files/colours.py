"""From the samples of an image that Pillow decodes to RGB of 8 bits: their range, and what shows through.

Pillow's own conversions clip samples of 16 bits, compare a transparent colour of PNG with what is left of them, and
make an image invisible whose alpha channel was never filled in. Everything else is Pillow's.
"""

import io
from typing import Any

import numpy as np
from PIL import Image

from inference.image_files.orientation import keep_as_stored
from inference.image_files.tiff import GrayRange, declares_alpha, gray_range

Array = np.ndarray[Any, np.dtype[Any]]

_WHITE = 255
_MAX_PIXEL_BYTES = 8  # of a row that is stored: four samples of 16 bits
_FULL_RANGE = GrayRange(0, 65535)
_HIGH_BYTES, _LOW_BYTES = "RGB;16B", "RGB;16L"  # Pillow's names for the bytes of a sample that it keeps
_SIXTEEN_BITS = ("I", "I;16", "I;16B")  # I: of a PNM, whose samples Pillow scales to 16 bits


def rgb_pixels(image: Image.Image, data: bytes) -> Array:
    """Decode an opened image into uint8 RGB ``(height, width, 3)``; what is transparent is composed on white.

    The array may be read-only.

    Args:
        image: the opened image, whose header is known to be of a kind that is supported.
        data: the file that it was opened from.
    """
    key = _colour_key(image)
    is_key = None if key is None else _is_colour(_low_bytes(data), tuple(value & 0xFF for value in key))
    if image.format == "TIFF":
        keep_as_stored(image)
    _read_whole_rows(image, data)
    image.load()
    image._size = image.im.size  # of a TIFF to be turned, Pillow has exchanged them already
    if image.mode in _SIXTEEN_BITS:
        return np.asarray(_gray(image).convert("RGB"))
    if key is None or is_key is None:
        return np.asarray(_on_white(image))
    is_key &= _is_colour(image, tuple(value >> 8 for value in key))
    pixels = np.array(image)
    pixels[is_key] = _WHITE
    return pixels


def _read_whole_rows(image: Image.Image, data: bytes) -> None:
    """Have Pillow read no less than a row at once: it joins shorter pieces anew for each, in the square of the time.

    A file of one tile is read as a whole; of several, each reads so much, wherever it lies.
    """
    tiles = getattr(image, "tile", ())
    row = len(data) if len(tiles) == 1 else min(len(data), image.width * _MAX_PIXEL_BYTES)
    image.decodermaxblock = max(image.decodermaxblock, row)  # type: ignore[attr-defined]  # files have it


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # which Pillow converts to nothing else
        image = image.convert("LA")
    if image.has_transparency_data and not _has_empty_alpha(image):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _has_empty_alpha(image: Image.Image) -> bool:
    """Tell whether an alpha channel, of formats in which writers leave one behind, has never been filled in."""
    if image.mode != "RGBA" or not (image.format == "BMP" or (image.format == "TIFF" and not declares_alpha(image))):
        return False
    return image.getchannel("A").getextrema() == (0, 0)


def _gray(image: Image.Image) -> Image.Image:
    """Return 16-bit gray in 8 bits, rounded to the nearest."""
    span = gray_range(image) if image.format == "TIFF" else _FULL_RANGE
    stored = np.asarray(image)
    values = stored.astype(np.int32)
    most = abs(span.white - span.black)
    values -= span.black
    values *= _WHITE if span.white > span.black else -_WHITE
    values += most // 2
    values //= most
    gray = values.astype(np.uint8)
    if "transparency" in image.info:
        gray[stored == image.info["transparency"]] = _WHITE
    return Image.fromarray(gray)


def _colour_key(image: Image.Image) -> tuple[int, int, int] | None:
    """Return the transparent colour of a PNG of 16-bit RGB, of which Pillow keeps the high bytes only."""
    raw_modes = [tile.args for tile in getattr(image, "tile", ())]
    key: tuple[int, int, int] | None = image.info.get("transparency")
    return key if image.format == "PNG" and raw_modes == [_HIGH_BYTES] else None


def _low_bytes(data: bytes) -> Image.Image:
    """Return the other bytes of the samples of a PNG of 16-bit RGB."""
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    image.tile = [tile._replace(args=_LOW_BYTES) for tile in image.tile]
    return image


def _is_colour(image: Image.Image, colour: tuple[int, ...]) -> Array:
    """Return which pixels ``(height, width)`` have a colour; channel by channel, which takes the least memory."""
    found = np.ones((image.height, image.width), np.bool_)
    for channel, value in enumerate(colour):
        found &= np.asarray(image.getchannel(channel)) == value
    return found
