"""How many seconds of one core an image takes from its file to the input of a network, estimated before it is decoded.

Turns between accounts are counted in these seconds, and what would take very many of them is refused. The ratios
matter: an image of ten million pixels costs as much as how many small ones? Absolute values are those of the machine
that was measured; another core is faster or slower by a factor, for all images alike.

The figures are least-squares fits of CPU time, decoding and resizing to 224x224 together, of pictures of three grades
of noise between 0.08 and 12 million pixels (docs/decisions/0026; ``python -m benchmarks costly-images`` compares).
Those of HEIC, AVIF, JPEG 2000 and JPEG XL are assumptions.
"""

from typing import NamedTuple

from contract.image_heads.head import Codec, ImageHead
from contract.image_heads.reading import read_head
from contract.image_size import image_has_too_many_pixels

UNKNOWN_SECONDS = 0.003  # of a file that is no image, or whose format is not known: that of an ordinary photograph
MAX_SECONDS = 10.0  # of an image that is decoded; one that would take more is refused


class _Cost(NamedTuple):
    """Seconds for each million pixels, each MB of their samples, each scan after the first, and each MB of the file."""

    pixels: float
    samples: float = 0.0
    scans: float = 0.0
    file: float = 0.0


_FIXED_SECONDS = 0.0006
_SIDE_SECONDS = 0.08  # for each million pixels of the longer side, which has a weight for each
_COSTS = {
    Codec.JPEG: _Cost(0.0036, file=0.011),
    Codec.PROGRESSIVE_JPEG: _Cost(0.0035, scans=0.0008, file=0.03),
    Codec.PNG: _Cost(0.006, samples=0.0075),
    Codec.INTERLACED_PNG: _Cost(0.012, samples=0.009),
    Codec.GIF: _Cost(0.013),
    Codec.WEBP: _Cost(0.009, file=0.065),
    Codec.LOSSLESS_WEBP: _Cost(0.016, file=0.004),
    Codec.BMP: _Cost(0.004),
    Codec.PNM: _Cost(0.004),
    Codec.PLAIN_PNM: _Cost(0.004, file=0.012),
    Codec.TIFF: _Cost(0.004, samples=0.0035, file=0.001),
    Codec.UNCOMPRESSED_TIFF: _Cost(0.004),
    Codec.HEIC: _Cost(0.03, file=0.03),
    Codec.AVIF: _Cost(0.03, file=0.03),
    Codec.JPEG_2000: _Cost(0.1, file=0.05),
    Codec.JPEG_XL: _Cost(0.04, file=0.03),
}
_BITS_OF_A_BYTE = 8


def decoding_seconds(content: bytes | memoryview) -> float:
    """Return the estimated CPU seconds of one core that decoding and resizing an image file take.

    Only its head is read, in a bounded number of steps: some microseconds, but for large JPEGs of several scans, which
    are counted, at a millisecond for each MB. At most ``MAX_SECONDS``.
    """
    head = read_head(content)
    return UNKNOWN_SECONDS if head is None else min(MAX_SECONDS, seconds_of(head, len(content)))


def seconds_of(head: ImageHead, size_bytes: int) -> float:
    """Return the same of a head that was read, of a file of so many bytes; without a bound."""
    cost = _COSTS[head.codec]
    pixels = cost.pixels + cost.samples * head.bits / _BITS_OF_A_BYTE + cost.scans * (head.scans - 1)
    side = _SIDE_SECONDS * max(head.width, head.height)
    return _FIXED_SECONDS + (pixels * head.decoded_pixels + side + cost.file * size_bytes) / 1e6


def refusal_of(content: bytes | memoryview, max_pixels: int) -> str | None:
    """Return the sentence for an image file that has too many pixels or would take too long; None for others."""
    head = read_head(content)
    if head is None:
        return None
    if head.width * head.height > max_pixels:
        return image_has_too_many_pixels(head.width, head.height, max_pixels)
    seconds = seconds_of(head, len(content))
    if seconds <= MAX_SECONDS:
        return None
    scans = f", {head.scans} scans" if head.scans > 1 else ""
    return (
        f"The image ({head.codec}, {head.width}x{head.height} pixels{scans}) would take about {seconds:.1f} seconds to"
        f" decode, which is over the limit of {MAX_SECONDS:g}; send a smaller one, or a plain JPEG."
    )
