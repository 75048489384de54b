"""What an image file would cost to decode, told from its header and its structure before any pixel is.

The number of pixels that a header states is not all: a tiled TIFF of ten pixels may hold a tile of gigabytes, a
progressive JPEG may paint the same pixels a hundred thousand times over, and some codecs are loops in Python. Used by
:mod:`inference.images`, which holds these figures against its limits.
"""

import re

import numpy as np
from PIL import Image

from inference.errors import ImageError

# Peak bytes for each pixel, beyond the file itself: the most that any mode took when it was measured.
JPEG_BYTES_PER_PIXEL = 9  # the tensor, its turned copy, and what a polygon leaves of it
PROGRESSIVE_BYTES_PER_PIXEL = 6  # coefficients of 16 bits, kept until the last scan
PILLOW_BYTES_PER_PIXEL = 24
JPEG_2000_BYTES_PER_PIXEL = 40  # a sample of 32 bits for each component, twice
COEFFICIENT_BYTES = 2

MAX_JPEG_SEGMENTS = 10_000  # between scans
MAX_JPEG_SCANS = 100  # encoders write about ten; each one is a pass over all pixels
MAX_PYTHON_PIXELS = 1_000_000  # of a codec that is a loop in Python: about two seconds

_RUN_LENGTH_BITMAP = "bmp_rle"
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_JPEG_SCAN = b"\xff\xda"
# After a start of scan only stuffed bytes, restarts and fill bytes may follow 0xFF before the next segment.
_JPEG_NEXT_SEGMENT = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def pixels_to_decode(image: Image.Image) -> int:
    """Return how many pixels the decoder makes of a file whose header was read: those of a whole tile at least."""
    width, height = image.size
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    tile_width, tile_length = tags.get(_TIFF_TILE_WIDTH, 0), tags.get(_TIFF_TILE_LENGTH, 0)
    if not isinstance(tile_width, int) or not isinstance(tile_length, int):
        raise ImageError("The image is damaged and cannot be decoded.")
    return max(width * height, tile_width * tile_length)


def bytes_to_decode(image: Image.Image, *, with_torchvision: bool) -> int:
    """Return how much memory the decoding takes at its peak, and the cutting after it."""
    per_pixel = JPEG_BYTES_PER_PIXEL if with_torchvision else PILLOW_BYTES_PER_PIXEL
    if image.format == "JPEG2000":
        per_pixel = JPEG_2000_BYTES_PER_PIXEL
    if "progressive" in image.info:
        per_pixel += PROGRESSIVE_BYTES_PER_PIXEL
    return pixels_to_decode(image) * per_pixel


def bytes_to_decode_reduced(image: Image.Image, factor: int) -> int:
    """Return the same of a JPEG that was opened and is to be decoded ``factor`` times smaller in both directions.

    A file of several scans has all its coefficients kept, and only the scans themselves tell that there are several.
    """
    pixels = pixels_to_decode(image)
    coefficients = pixels * len(image.getbands())
    return coefficients * COEFFICIENT_BYTES + pixels * PILLOW_BYTES_PER_PIXEL // factor**2


def check_codec(image: Image.Image) -> None:
    """Refuse what a small file can make slow or large, whatever its number of pixels.

    Raises:
        ImageError: for a run-length encoded bitmap, or many pixels for a codec that is a loop in Python.
    """
    codecs = {tile[0] for tile in getattr(image, "tile", ())}
    if _RUN_LENGTH_BITMAP in codecs:
        raise ImageError("This kind of run-length encoded BMP image is not supported; send a PNG.")
    width, height = image.size
    if width * height > MAX_PYTHON_PIXELS and any(codec in Image.DECODERS for codec in codecs):
        raise ImageError(
            f"The image has {width}x{height} pixels, which is over the limit of {MAX_PYTHON_PIXELS} for its encoding;"
            " send it in a binary format of 8 bits a channel."
        )


def check_scans(data: bytes) -> None:
    """Refuse a JPEG file of very many scans (ITU-T T.81, annex B).

    Raises:
        ImageError: if there are more than ``MAX_JPEG_SCANS``, or very many segments between them.
    """
    octets = np.frombuffer(data, np.uint8)  # whose comparisons take a fifth of the time of data.count()
    first, second = _JPEG_SCAN
    most = np.count_nonzero((octets[:-1] == first) & (octets[1:] == second))
    if most > MAX_JPEG_SCANS and _count_scans(data) > MAX_JPEG_SCANS:
        raise ImageError(f"The JPEG image has more than {MAX_JPEG_SCANS} scans, which is not supported.")


def _count_scans(data: bytes) -> int:
    """Return the scans before the end of the first image; what follows it (a film, say) is none of ours."""
    scans, position = 0, 2
    for _ in range(MAX_JPEG_SEGMENTS):
        found = _JPEG_NEXT_SEGMENT.search(data, position)
        marker = b"" if found is None else data[found.start() : found.end()]
        scans += marker == _JPEG_SCAN
        if found is None or marker == b"\xff\xd9" or scans > MAX_JPEG_SCANS:
            return scans
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise ImageError(f"The JPEG image has more than {MAX_JPEG_SEGMENTS} segments between its scans; save it again.")
