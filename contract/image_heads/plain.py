"""The sizes of BMP files (BITMAPCOREHEADER, BITMAPINFOHEADER and later) and of PNM files (netpbm)."""

import re
from struct import Struct

from contract.image_heads.head import Codec, ImageHead

_CORE, _INFO = Struct("<HHHH"), Struct("<iiHH")  # width, height, planes, bits of a pixel
_CORE_BYTES = 12
_PNM_HEAD_BYTES = 4096
_PNM_HEAD = re.compile(rb"P([1-6])(?:\s|#[^\r\n]*+[\r\n])++(\d{1,9})(?:\s|#[^\r\n]*+[\r\n])++(\d{1,9})")
_PNM_PLAIN, _PNM_COLOUR, _PNM_BITS = b"123", b"36", b"14"


def read_bmp(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a BMP."""
    if len(content) < 30:
        return None
    is_core = content[14] == _CORE_BYTES
    width, height, _, bits = (_CORE if is_core else _INFO).unpack_from(content, 18)
    return ImageHead(Codec.BMP, abs(width), abs(height), bits, abs(width * height))


def read_pnm(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a PNM; None if comments push it far from the beginning."""
    found = _PNM_HEAD.match(bytes(content[:_PNM_HEAD_BYTES]))
    if found is None:
        return None
    kind, width, height = found[1], int(found[2]), int(found[3])
    codec = Codec.PLAIN_PNM if kind in _PNM_PLAIN else Codec.PNM
    bits = (1 if kind in _PNM_BITS else 8) * (3 if kind in _PNM_COLOUR else 1)
    return ImageHead(codec, width, height, bits, width * height)
