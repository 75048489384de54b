"""A GIF file reduced to its screen and its first image (GIF89a, sections 18 to 26).

Pillow reads the blocks before it in Python, one after the other, and what is none byte by byte, and keeps of them the
index of the transparent colour alone. So they are walked here, within bounds, and Pillow never gets the others.
"""

from inference.errors import ImageError

MAGICS = (b"GIF87a", b"GIF89a")
MAX_BLOCKS = 200_000  # a comment of 50 MB has as many

_FLAGS, _FIRST_BLOCK = 10, 13
_HAS_COLOURS, _COLOUR_BITS = 0x80, 0x07
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _CONTROL_BYTES, _IS_TRANSPARENT = 0xF9, 4, 0x01


def reduce_gif(data: bytes) -> bytes:
    """Return a file of the same first image, without comments and other extensions before it.

    Raises:
        ImageError: if there are more than ``MAX_BLOCKS`` before it, blocks within extensions and stray bytes included.
    """
    flags = data[_FLAGS] if len(data) > _FLAGS else 0
    start = _FIRST_BLOCK + (3 * (2 << (flags & _COLOUR_BITS)) if flags & _HAS_COLOURS else 0)
    position, blocks, transparent = start, 0, -1
    while position < len(data) and (kind := data[position]) not in (_IMAGE, _TRAILER):
        if kind == _EXTENSION:
            found = _transparent_of(data, position)
            transparent = transparent if found is None else found
            position, within = _end_of_extension(data, position + 2, MAX_BLOCKS - blocks)
            blocks += within
        else:
            position += 1
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise ImageError(
                f"The GIF image has more than {MAX_BLOCKS} blocks before its pixels; save it without metadata."
            )
    if position == start:
        return data
    control = (
        b"" if transparent < 0 else bytes((_EXTENSION, _CONTROL, _CONTROL_BYTES, _IS_TRANSPARENT, 0, 0, transparent, 0))
    )
    return b"".join((data[:start], control, memoryview(data)[position:]))


def _transparent_of(data: bytes, position: int) -> int | None:
    """Return the index of the transparent colour, if the extension here is a control block that gives one."""
    block = data[position + 1 : position + 3 + _CONTROL_BYTES]
    is_control = len(block) == 2 + _CONTROL_BYTES and block[0] == _CONTROL and block[1] >= _CONTROL_BYTES
    return block[5] if is_control and block[2] & _IS_TRANSPARENT else None


def _end_of_extension(data: bytes, position: int, most: int) -> tuple[int, int]:
    """Return where the blocks of an extension end, and how many they are: one more than ``most`` at most."""
    length = len(data)
    for count in range(1, most + 2):
        if position >= length:
            return position, count
        size = data[position]
        position += 1 + size
        if not size:
            return position, count
    return position, most + 1
