"""Which way up an image is: the EXIF orientation, read once and applied once, for all formats and ways of decoding.

Decoders have readers of their own, which disagree about metadata that stands behind other metadata, about types of
numbers, and about orientations that are in XMP only. This one takes the first entry of the EXIF block's first
directory that is a whole number from 1 to 8 (CIPA DC-008, section 4.6); XMP is not read, and EXIF that cannot be read
leaves the image as it is stored.
"""

import struct
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor  # which decoders' processes do without

UPRIGHT = 1
ORIENTATION_TAG = 0x0112

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I"}  # types of EXIF: BYTE, SHORT, LONG
_PREFIX = b"Exif\0\0"
_ENTRY_BYTES = 12

# Orientations that exchange width and height, and those whose first column or row is the file's last.
TURNED = (5, 6, 7, 8)
MIRRORED_X = (2, 3, 6, 7)
MIRRORED_Y = (3, 4, 7, 8)


def orientation_of(image: Image.Image) -> int:
    """Return the orientation, 1 to 8, by which the pixels of an image that Pillow opened are to be turned.

    A TIFF image has the tag in its own directory.
    """
    if image.format == "TIFF":
        stated = image.tag_v2.get(ORIENTATION_TAG)  # type: ignore[attr-defined]  # TIFFs have it
        stated = stated[0] if isinstance(stated, bytes) and len(stated) == 1 else stated
        return _known(stated) if isinstance(stated, int) else UPRIGHT
    exif = image.info.get("exif")
    return read_orientation(exif) if isinstance(exif, bytes) else UPRIGHT


def keep_as_stored(image: Image.Image) -> None:
    """Keep Pillow from turning a TIFF image when it loads it, which it does by readers of its own."""
    image.info.pop("xmp", None)
    image.getexif().pop(ORIENTATION_TAG, None)


def read_orientation(exif: bytes) -> int:
    """Return the orientation that an EXIF block states; 1, upright, if it states none or cannot be read."""
    exif = exif.removeprefix(_PREFIX).removeprefix(_PREFIX)  # some writers put it there twice
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
    except struct.error:
        return UPRIGHT
    directory = exif[start + 2 : start + 2 + count * _ENTRY_BYTES]
    whole = len(directory) // _ENTRY_BYTES * _ENTRY_BYTES
    for tag, kind, values, value in struct.iter_unpack(f"{order}HHI4s", directory[:whole]):
        if tag == ORIENTATION_TAG and values == 1 and kind in _WHOLE_NUMBERS:
            (orientation,) = struct.unpack_from(order + _WHOLE_NUMBERS[kind], value)
            return _known(orientation)
    return UPRIGHT


def turn(pixels: "Tensor", orientation: int) -> "Tensor":
    """Return pixels ``(channels, height, width)`` upright; a view of them, or a copy."""
    if orientation in TURNED:
        pixels = pixels.transpose(-1, -2)
    mirrored = [axis for axis, among in ((-1, MIRRORED_X), (-2, MIRRORED_Y)) if orientation in among]
    return pixels.flip(mirrored) if mirrored else pixels


def _known(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else UPRIGHT
