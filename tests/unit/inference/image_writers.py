"""Image files written byte by byte, as their specifications have them: what Pillow writes, it reads alike."""

import struct
import zlib
from collections.abc import Mapping, Sequence

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112
BYTE, SHORT, LONG = 1, 3, 4
_FORMATS = {BYTE: "B", SHORT: "H", LONG: "I"}

Entry = tuple[int, Sequence[int]]
"""The type and the values of a field of a TIFF directory."""


def png_chunk(kind: bytes, content: bytes, *, damage: int = 0) -> bytes:
    """PNG, section 5.3: length, type, content and checksum of both; ``damage`` is added to the checksum."""
    checksum = (zlib.crc32(kind + content) + damage) & 0xFFFFFFFF
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(
    rows: Sequence[bytes], width: int, depth: int, colour: int, *, before: bytes = b"", after: bytes = b"", cut: int = 0
) -> bytes:
    """A PNG of unfiltered rows of packed samples, its pixels in chunks of ``cut`` bytes, with others around them."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    size = cut or len(pixels)
    chunks = b"".join(png_chunk(b"IDAT", pixels[at : at + size]) for at in range(0, len(pixels), size))
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + before + chunks + after + png_chunk(b"IEND", b"")


def directory(entries: Mapping[int, Entry], order: str, start: int) -> bytes:
    """TIFF 6.0, section 2: a directory that is to stand at ``start``, with the values that do not fit into it."""
    fields, beside = b"", b""
    end = start + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        value = struct.pack(f"{order}{len(values)}{_FORMATS[kind]}", *values)
        if len(value) > 4:
            place, beside = end + len(beside), beside + value + b"\0" * (len(value) % 2)
            value = struct.pack(f"{order}I", place)
        fields += struct.pack(f"{order}HHI", tag, kind, len(values)) + value.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(entries)) + fields + bytes(4) + beside


def tiff(entries: Mapping[int, Entry], strips: Sequence[bytes], order: str = "<") -> bytes:
    """A TIFF of given strips, which stand before its directory."""
    places = [8 + sum(map(len, strips[:index])) for index in range(len(strips))]
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    whole = {**entries, 273: (LONG, places), 279: (LONG, [len(strip) for strip in strips])}
    start = 8 + len(body)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", start) + body + directory(whole, order, start)


def tiff_fields(
    width: int,
    height: int,
    *,
    bits: Sequence[int] = (8,),
    photometric: int = 1,
    compression: int = 1,
    extra: Sequence[int] = (),
    sample_format: int = 1,
    planar: int = 1,
) -> dict[int, Entry]:
    """The fields that every TIFF image has (section 8), but for the places of its strips."""
    fields: dict[int, Entry] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, bits),
        259: (SHORT, [compression]),
        262: (SHORT, [photometric]),
        277: (SHORT, [len(bits)]),
        278: (LONG, [height]),
        284: (SHORT, [planar]),
        339: (SHORT, [sample_format] * len(bits)),
    }
    return {**fields, 338: (SHORT, extra)} if extra else fields


def exif(orientation: int, order: str = "<", kind: int = SHORT) -> bytes:
    """An EXIF block (CIPA DC-008, section 4.5) without the identifier that JPEG puts before it."""
    return exif_of({0x010E: (BYTE, b"a camera\0"), ORIENTATION: (kind, [orientation])}, order)


def exif_of(entries: Mapping[int, Entry], order: str = "<") -> bytes:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8) + directory(entries, order, 8)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """T.81, B.1.1.4: a marker and its length, which counts itself."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def exif_segment(block: bytes) -> bytes:
    return jpeg_segment(0xE1, b"Exif\0\0" + block)


def bmp_32(pixels: Sequence[tuple[int, int, int, int]], width: int, *, alpha_mask: int = 0xFF000000) -> bytes:
    """A BMP of BGRA pixels with a BITMAPV4HEADER, whose masks say where alpha is."""
    body = b"".join(struct.pack("<BBBB", blue, green, red, alpha) for red, green, blue, alpha in pixels)
    height = len(pixels) // width
    head = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, len(body), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, alpha_mask) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body
