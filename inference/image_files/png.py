"""A PNG file reduced to the chunks from which its pixels and its orientation come.

Everything else (texts, profiles, films, what tools keep for themselves) is not used, may be megabytes or a million
chunks, and may be damaged: Pillow parses it in Python and refuses the image for it. So Pillow never gets it.
Chunks and their order: PNG specification, third edition, sections 5.3 to 5.6 and 11.
"""

import struct
import zlib
from dataclasses import dataclass, field

from inference.errors import ImageError

MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 25_000  # encoders cut pixels into chunks of 8 KiB and more

_HEAD = struct.Struct(">I4s")
_CRC_BYTES = 4
_MAX_EXIF_BYTES = 1 << 20
_EXIF_PROFILE = b"Raw profile type exif\0"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_BEFORE_PIXELS = (b"IHDR", b"PLTE", b"tRNS")  # where they count, and the order in which they are kept
_GRAY, _COLOUR = 0, 2


@dataclass
class _Chunks:
    """What is used of a file. ``whole`` has chunks as they are stored: length, type, content, checksum."""

    data: bytes
    whole: dict[bytes, bytes] = field(default_factory=dict)
    exif: bytes | None = None
    pixels: list[memoryview] = field(default_factory=list)


def reduce_png(data: bytes) -> bytes:
    """Return a PNG file of the same pixels with the chunks that count: one of each kind, the first that there is.

    The transparent sample of a gray image of less than 8 bits is given as one of 8, to which Pillow expands the pixels
    before it compares. Damage to what counts stays there for the decoder to find.

    Raises:
        ImageError: if there are very many chunks.
    """
    chunks = _read(data)
    header = chunks.whole.get(b"IHDR", b"")
    parts: list[bytes | memoryview] = [MAGIC]
    for kind in _BEFORE_PIXELS:
        whole = chunks.whole.get(kind, b"")
        parts.append(_in_eight_bits(whole, header) if kind == b"tRNS" else whole)
    if chunks.exif is not None:
        parts.append(_chunk(b"eXIf", chunks.exif))
    if chunks.pixels:
        parts.append(_HEAD.pack(sum(map(len, chunks.pixels)), b"IDAT"))
        parts.extend(chunks.pixels)
        parts.append(bytes(_CRC_BYTES))  # Pillow skips this checksum: zlib has its own inside
    return b"".join((*parts, _chunk(b"IEND", b"")))


def _read(data: bytes) -> _Chunks:
    chunks, view = _Chunks(data), memoryview(data)
    position, is_past_pixels = len(MAGIC), False
    for _ in range(MAX_CHUNKS):
        if position + _HEAD.size > len(data):
            return chunks
        length, kind = _HEAD.unpack_from(data, position)
        start, end = position + _HEAD.size, position + _HEAD.size + length
        if kind == b"IDAT" and not is_past_pixels:
            chunks.pixels.append(view[start:end])
        elif kind == b"IEND" or not kind.isalnum():  # the end, or no chunk at all
            return chunks
        else:
            is_past_pixels = bool(chunks.pixels)
            _keep(chunks, kind, start, end)
        position = end + _CRC_BYTES
    raise ImageError(f"The PNG image has more than {MAX_CHUNKS} chunks; save it again.")


def _keep(chunks: _Chunks, kind: bytes, start: int, end: int) -> None:
    """Keep a chunk if it counts; metadata that is damaged does not."""
    data = chunks.data
    if kind in _BEFORE_PIXELS and not chunks.pixels:
        chunks.whole.setdefault(kind, data[start - _HEAD.size : end + _CRC_BYTES])
    elif chunks.exif is None and end - start <= _MAX_EXIF_BYTES:
        if kind == b"eXIf" and _is_intact(data, start, end):
            chunks.exif = data[start:end]
        elif kind in _TEXTS and data.startswith(_EXIF_PROFILE, start) and _is_intact(data, start, end):
            chunks.exif = _exif_of_text(kind, data[start + len(_EXIF_PROFILE) : end])


def _is_intact(data: bytes, start: int, end: int) -> bool:
    stored = int.from_bytes(data[end : end + _CRC_BYTES], "big")
    return len(data) >= end + _CRC_BYTES and zlib.crc32(memoryview(data)[start - 4 : end]) == stored


def _exif_of_text(kind: bytes, text: bytes) -> bytes | None:
    """Return the EXIF block of a text in which tools keep it: a name, a length, and hexadecimal digits, in lines."""
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _MAX_EXIF_BYTES)
        elif kind == b"iTXt":
            is_compressed = text[:1] == b"\1"
            text = text[2:].split(b"\0", 2)[2]
            text = zlib.decompressobj().decompress(text, _MAX_EXIF_BYTES) if is_compressed else text
        return bytes.fromhex(text.split(b"\n", 3)[3].decode("ascii"))
    except (zlib.error, IndexError, ValueError):
        return None


def _in_eight_bits(transparent: bytes, header: bytes) -> bytes:
    """Return a tRNS chunk whose samples are those of 8 bits; bits above the depth of the image do not count."""
    start = _HEAD.size
    if len(header) < start + 13 or not _is_intact(transparent, start, len(transparent) - _CRC_BYTES):
        return transparent
    depth, colour = header[start + 8], header[start + 9]
    count = {_GRAY: 1, _COLOUR: 3}.get(colour)
    if count is None or depth not in (1, 2, 4, 8) or len(transparent) != start + 2 * count + _CRC_BYTES:
        return transparent
    most = (1 << depth) - 1
    samples = [(sample & most) * 255 // most for sample in struct.unpack_from(f">{count}H", transparent, start)]
    return _chunk(b"tRNS", struct.pack(f">{count}H", *samples))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _HEAD.pack(len(content), kind) + content + zlib.crc32(kind + content).to_bytes(_CRC_BYTES, "big")
