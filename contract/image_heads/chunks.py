"""The sizes of files in chunks: PNG (third edition, section 11.2), WebP (RFC 9649) and GIF (GIF89a)."""

from struct import Struct

from contract.image_heads.head import Codec, ImageHead

_PNG_HEADER = Struct(">4sIIBBBBB")  # type, width, height, depth, colour, compression, filter, interlacing
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_LITTLE_PAIR = Struct("<HH")
_GIF_FRAME = Struct("<HHHH")
_MAX_GIF_BLOCKS = 64
_LOSSLESS = b"VP8L"
_MAX_WEBP_CHUNKS = 8  # before the first one of pixels


def read_png(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a PNG."""
    if len(content) < 12 + _PNG_HEADER.size:
        return None
    kind, width, height, depth, colour, _, _, interlacing = _PNG_HEADER.unpack_from(content, 12)
    if kind != b"IHDR":
        return None
    codec = Codec.INTERLACED_PNG if interlacing else Codec.PNG
    return ImageHead(codec, width, height, depth * _PNG_SAMPLES.get(colour, 4), width * height)


def read_gif(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a GIF: its screen, and the first image where it is larger."""
    if len(content) < 13:
        return None
    width, height = _LITTLE_PAIR.unpack_from(content, 6)
    position = _first_gif_image(content, 13 + (6 << (content[10] & 7) if content[10] & 0x80 else 0))
    if position is not None and position + 9 <= len(content):
        left, top, own_width, own_height = _GIF_FRAME.unpack_from(content, position + 1)
        width, height = max(width, left + own_width), max(height, top + own_height)
    return ImageHead(Codec.GIF, width, height, 8, width * height)


def _first_gif_image(content: bytes | memoryview, position: int) -> int | None:
    is_extension = False
    for _ in range(_MAX_GIF_BLOCKS):
        if position + 1 >= len(content):
            return None
        first = content[position]
        if is_extension:
            position += 1 + first
            is_extension = first > 0
        elif first == 0x21:
            position += 2
            is_extension = True
        else:
            return position if first == 0x2C else None
    return None


def read_webp(content: bytes | memoryview) -> ImageHead | None:
    """Return the head of a file that begins like a WebP: of an animation the canvas, as one image."""
    if len(content) < 30:
        return None
    kind = bytes(content[12:16])
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in _LITTLE_PAIR.unpack_from(content, 26))
        return ImageHead(Codec.WEBP, width, height, 24, width * height)
    if kind == _LOSSLESS:
        bits = int.from_bytes(content[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        return ImageHead(Codec.LOSSLESS_WEBP, width, height, 32, width * height)
    if kind != b"VP8X":
        return None
    width, height = (1 + int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
    codec = Codec.LOSSLESS_WEBP if _first_webp_pixels(content) == _LOSSLESS else Codec.WEBP
    return ImageHead(codec, width, height, 32, width * height)


def _first_webp_pixels(content: bytes | memoryview) -> bytes:
    """Return the type of the first chunk of pixels, of that within a frame; nothing if it is not near."""
    position = 30
    for _ in range(_MAX_WEBP_CHUNKS):
        kind = bytes(content[position : position + 4])
        if kind in (b"VP8 ", _LOSSLESS, b""):
            return kind
        length = int.from_bytes(content[position + 4 : position + 8], "little")
        position += 24 if kind == b"ANMF" else 8 + length + length % 2
    return b""
