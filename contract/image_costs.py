"""How many seconds of one core an image takes from its file to the input of a network, estimated before it is decoded.

Turns between accounts are counted in these seconds, and what would take very many of them is refused. The ratios
matter: an image of ten million pixels costs as much as how many small ones? Absolute values are those of the machine
that was measured; another core is faster or slower by a factor, for all images alike.
"""

from typing import NamedTuple

from contract.image_heads.head import Codec, ImageHead
from contract.image_heads.reading import read_head

UNKNOWN_SECONDS = 0.003  # of a file that is no image, or whose format is not known: that of an ordinary photograph


MAX_SECONDS = 10.0  # of an image that is decoded; one that would take more is refused


class _Cost(NamedTuple):
    """Seconds for each million decoded pixels, for each scan of these after the first, and for each MB of the file."""

    pixels: float
    scans: float = 0.0
    file: float = 0.0


_FIXED_SECONDS = 0.0002
_RESIZE_SECONDS = 0.001  # for each million pixels
_COSTS = {
    Codec.JPEG: _Cost(0.0025, file=0.010),
    Codec.PROGRESSIVE_JPEG: _Cost(0.005, scans=0.0015, file=0.012),
    Codec.PNG: _Cost(0.020, file=0.010),
    Codec.INTERLACED_PNG: _Cost(0.035, file=0.010),
    Codec.GIF: _Cost(0.012, file=0.010),
    Codec.WEBP: _Cost(0.015, file=0.020),
    Codec.LOSSLESS_WEBP: _Cost(0.025, file=0.020),
    Codec.BMP: _Cost(0.005),
    Codec.PNM: _Cost(0.005),
    Codec.PLAIN_PNM: _Cost(0.3, file=0.1),
    Codec.TIFF: _Cost(0.015, file=0.010),
    Codec.HEIC: _Cost(0.030, file=0.030),
    Codec.AVIF: _Cost(0.030, file=0.030),
    Codec.JPEG_2000: _Cost(0.100, file=0.050),
    Codec.JPEG_XL: _Cost(0.040, file=0.030),
}


def decoding_seconds(content: bytes | memoryview) -> float:
    """Return the estimated CPU seconds of one core that decoding and resizing an image file take.

    Only its head is read, in a bounded number of steps: some microseconds. At most ``MAX_SECONDS``.
    """
    head = read_head(content)
    return UNKNOWN_SECONDS if head is None else min(MAX_SECONDS, seconds_of(head, len(content)))


def seconds_of(head: ImageHead, size_bytes: int) -> float:
    """Return the same of a head that was read, of a file of so many bytes; without a bound."""
    cost = _COSTS[head.codec]
    pixels = cost.pixels + cost.scans * (head.scans - 1) + _RESIZE_SECONDS
    return _FIXED_SECONDS + (pixels * head.decoded_pixels + cost.file * size_bytes) / 1e6
