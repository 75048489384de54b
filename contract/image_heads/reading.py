"""Reads the head of an image of any format, by the reader of the format that its first bytes name."""

from collections.abc import Callable

from contract.image_heads.boxes import read_boxes, read_codestream_2000, read_codestream_xl
from contract.image_heads.chunks import read_gif, read_png, read_webp
from contract.image_heads.head import ImageHead
from contract.image_heads.jpeg import read_jpeg
from contract.image_heads.plain import read_bmp, read_pnm
from contract.image_heads.tiff import read_tiff

_Reader = Callable[[bytes | memoryview], ImageHead | None]

_READERS: dict[bytes, _Reader] = {  # by the first two bytes
    b"\xff\xd8": read_jpeg,
    b"\x89P": read_png,
    b"GI": read_gif,
    b"RI": read_webp,
    b"BM": read_bmp,
    b"II": read_tiff,
    b"MM": read_tiff,
    b"\0\0": read_boxes,
    b"\xff\x4f": read_codestream_2000,
    b"\xff\x0a": read_codestream_xl,
    **{b"P%d" % kind: read_pnm for kind in range(1, 7)},
}


def read_head(content: bytes | memoryview) -> ImageHead | None:
    """Return what an image file says of its size; None if it is no image, or says nothing."""
    reader = _READERS.get(bytes(content[:2]))
    return None if reader is None else reader(content)
