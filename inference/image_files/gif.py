"""The head of a GIF file: its blocks before the first image (GIF89a, sections 18 to 26).

Pillow reads them in Python, one after the other, and what is none byte by byte. So they are counted here first.
"""

from inference.errors import ImageError

MAGICS = (b"GIF87a", b"GIF89a")
MAX_BLOCKS = 200_000  # a comment of 50 MB has as many

_FLAGS, _FIRST_BLOCK = 10, 13
_HAS_COLOURS, _COLOUR_BITS = 0x80, 0x07
_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"


def check_head(data: bytes) -> None:
    """Refuse a GIF file of very many blocks before its first image.

    Raises:
        ImageError: if there are more than ``MAX_BLOCKS``, blocks within extensions and stray bytes included.
    """
    flags = data[_FLAGS] if len(data) > _FLAGS else 0
    position = _FIRST_BLOCK + (3 * (2 << (flags & _COLOUR_BITS)) if flags & _HAS_COLOURS else 0)
    is_within_extension = False
    for _ in range(MAX_BLOCKS):
        kind = data[position : position + 1]
        if is_within_extension:
            size = kind[0] if kind else 0
            is_within_extension = size > 0
            position += 1 + size
        elif kind in (b"", _IMAGE, _TRAILER):
            return
        else:
            is_within_extension = kind == _EXTENSION
            position += 2 if is_within_extension else 1
    raise ImageError(f"The GIF image has more than {MAX_BLOCKS} blocks before its pixels; save it without metadata.")
