"""What a JPEG 2000 file says of its samples: its boxes and the first segment of its codestream (ITU-T T.800, A.5, I.5).

Pillow guesses a mode from the number of components. Here their depth, sign, sampling and colour space are known, or
refused by a sentence.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inference.errors import ImageError

CODESTREAM = b"\xff\x4f\xff\x51"  # start of codestream, and its size segment
MAGICS = (b"\0\0\0\x0cjP  \r\n\x87\n", CODESTREAM)
MAX_TILES = 4096
MAX_BOXES = 1000

_BOX = struct.Struct(">I4s")
_SIZE_SEGMENT = struct.Struct(">HHIIIIIIIIH")
_COMPONENT_BYTES = 3
_SIGNED = 0x80
_ENUMERATED = 1
_CMYK, _SRGB, _GRAY, _SYCC = 12, 16, 17, 18
_CODESTREAM_ONLY = (None, 0)
_ADVICE = "Convert it to PNG, or to 8 bits a sample, gray or RGB."


@dataclass(frozen=True)
class _Size:
    width: int
    height: int
    tiles: int
    components: tuple[tuple[int, int, int], ...]  # depth and sign, and the sampling in both directions


def check_samples(data: bytes, size: tuple[int, int]) -> None:
    """Refuse a file whose header Pillow reads, ``size`` included, and whose samples it would give another meaning.

    Raises:
        ImageError: for components of other depths than 8 (gray: to 16) bits, signed or of reduced sampling, for colour
            spaces that are not known, for very many tiles, and where box and codestream state different sizes.
    """
    colour_space, codestream = _CODESTREAM_ONLY if data.startswith(CODESTREAM) else _read_boxes(data)
    found = _read_size(data, codestream)
    if found is None or (found.width, found.height) != size:
        raise ImageError("The JPEG 2000 image is damaged: its header and its codestream do not agree.")
    if found.tiles > MAX_TILES:
        raise ImageError(f"The JPEG 2000 image has {found.tiles} tiles, over the limit of {MAX_TILES}; save it again.")
    depths = {depth for depth, _, _ in found.components}
    is_gray = len(found.components) == 1
    is_known = len(depths) == 1 and depths <= set(range(7, 16 if is_gray else 8))
    if not is_known or any(component[1:] != (1, 1) for component in found.components):
        described = ", ".join(_described(component) for component in found.components[:4])
        raise ImageError(f"The JPEG 2000 image has samples that are not supported ({described}). {_ADVICE}")
    if colour_space not in (None, _CMYK, _SRGB, _GRAY, _SYCC):
        raise ImageError(f"The JPEG 2000 image has the colour space {colour_space}, which is not supported. {_ADVICE}")


def _described(component: tuple[int, int, int]) -> str:
    depth, x, y = component
    sign = "signed " if depth & _SIGNED else ""
    return f"{(depth & ~_SIGNED) + 1} {sign}bits" + ("" if (x, y) == (1, 1) else f" of every {x}x{y} pixels")


def _read_boxes(data: bytes) -> tuple[int | None, int]:
    """Return the enumerated colour space, None if there is none, and where the codestream starts."""
    colour_space = None
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"jp2c":
            return colour_space, start
        if kind == b"jp2h":
            colour_space = next(
                (
                    int.from_bytes(data[at + 3 : at + 7], "big")
                    for inner, at, _ in _boxes(data, start, end)
                    if inner == b"colr" and data[at : at + 1] == bytes([_ENUMERATED])
                ),
                None,
            )
    return colour_space, len(data)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(MAX_BOXES):
        if start + _BOX.size > end:
            return
        length, kind = _BOX.unpack_from(data, start)
        content = start + _BOX.size
        if length == 1:
            length = int.from_bytes(data[content : content + 8], "big")
            content += 8
        elif length == 0:  # to the end
            length = end - start
        start += length
        if start < content:
            return
        yield kind, content, min(start, end)


def _read_size(data: bytes, start: int) -> _Size | None:
    if not data.startswith(CODESTREAM, start):
        return None
    start += len(CODESTREAM)
    try:
        _, _, x1, y1, x0, y0, tile_x, tile_y, left, top, count = _SIZE_SEGMENT.unpack_from(data, start)
    except struct.error:
        return None
    components = data[start + _SIZE_SEGMENT.size :][: count * _COMPONENT_BYTES]
    if not (tile_x and tile_y and count and len(components) == count * _COMPONENT_BYTES):
        return None
    tiles = -((left - x1) // tile_x) * -((top - y1) // tile_y)
    return _Size(x1 - x0, y1 - y0, tiles, tuple(struct.iter_unpack("BBB", components)))
