"""The size of a TIFF file, from its first directory (TIFF 6.0, section 2; BigTIFF)."""

from struct import Struct
from typing import Literal, NamedTuple

from contract.image_heads.head import Codec, ImageHead

_MAX_ENTRIES = 512
_UNCOMPRESSED = 1
_USUAL_BITS = 8  # of several samples, whose bits lie elsewhere
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 258, 259, 277, 322, 323
_READ = frozenset((_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_LENGTH))
_TYPE_BYTES = {1: 1, 3: 2, 4: 4, 16: 8}  # BYTE, SHORT, LONG, LONG8


class _Layout(NamedTuple):
    """How numbers are stored: the offset of the directory, its count, and its entries with a value of their own."""

    byte_order: Literal["little", "big"]
    start: Struct
    length: Struct
    entry: Struct


_LAYOUTS = {
    b"II*\0": _Layout("little", Struct("<4xI"), Struct("<H"), Struct("<HHI4s")),
    b"MM\0*": _Layout("big", Struct(">4xI"), Struct(">H"), Struct(">HHI4s")),
    b"II+\0": _Layout("little", Struct("<8xQ"), Struct("<Q"), Struct("<HHQ8s")),
    b"MM\0+": _Layout("big", Struct(">8xQ"), Struct(">Q"), Struct(">HHQ8s")),
}


def read_tiff(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a TIFF; tiles count with all their pixels."""
    layout = _LAYOUTS.get(bytes(content[:4]))
    if layout is None or len(content) < 16:
        return None
    (start,) = layout.start.unpack_from(content, 0)
    if start + layout.length.size > len(content):
        return None
    tags = _read_directory(content, layout, start)
    width, height = tags.get(_WIDTH, 0), tags.get(_LENGTH, 0)
    pixels = _whole_tiles(width, tags.get(_TILE_WIDTH, 0)) * _whole_tiles(height, tags.get(_TILE_LENGTH, 0))
    bits = tags.get(_BITS, 1) * tags.get(_SAMPLES, 1)
    codec = Codec.UNCOMPRESSED_TIFF if tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED else Codec.TIFF
    return ImageHead(codec, width, height, bits, pixels)


def _whole_tiles(side: int, tile_side: int) -> int:
    return side if tile_side == 0 else max(1, -(-side // tile_side)) * tile_side


def _read_directory(content: bytes | memoryview, layout: _Layout, start: int) -> dict[int, int]:
    """Return the tags that tell a size."""
    (count,) = layout.length.unpack_from(content, start)
    first = start + layout.length.size
    end = min(first + min(count, _MAX_ENTRIES) * layout.entry.size, len(content))
    entries = content[first : end - (end - first) % layout.entry.size]
    tags: dict[int, int] = {}
    for tag, kind, values, stored in layout.entry.iter_unpack(entries):
        if tag in _READ:
            width = _TYPE_BYTES.get(kind, 4)
            is_here = values * width <= len(stored)
            tags[tag] = int.from_bytes(stored[:width], layout.byte_order) if is_here else _USUAL_BITS
    return tags
