"""The result of all readers of heads."""

from enum import StrEnum
from typing import NamedTuple


class Codec(StrEnum):
    """How the pixels of a file are encoded, as far as it decides what they cost."""

    JPEG = "JPEG"
    PROGRESSIVE_JPEG = "progressive JPEG"
    PNG = "PNG"
    INTERLACED_PNG = "interlaced PNG"
    GIF = "GIF"
    WEBP = "WebP"
    LOSSLESS_WEBP = "lossless WebP"
    BMP = "BMP"
    PNM = "PNM"
    PLAIN_PNM = "plain PNM"
    TIFF = "TIFF"
    UNCOMPRESSED_TIFF = "uncompressed TIFF"
    HEIC = "HEIC"
    AVIF = "AVIF"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"


class ImageHead(NamedTuple):
    """What a file says of the image that would be decoded.

    ``decoded_pixels`` are those that the decoder makes, which are more than ``width * height`` where a tile is larger
    than the image. ``bits`` are those of a stored pixel, of all samples together.
    """

    codec: Codec
    width: int
    height: int
    bits: int
    decoded_pixels: int
    scans: int = 1
