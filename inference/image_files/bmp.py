"""A run-length encoded BMP file made an uncompressed one, for Pillow, which reads some of them wrongly.

A row without any pixels is lost there, and so is a byte of padding where the pixels begin at an odd place. Here every
pixel has to have a value; what a file leaves out (deltas, rows and images that end early) has a different one in every
reader, and is refused. So no file becomes more than 128 times as large. Encoding: MS-WMF, section 3.1.6.
"""

import struct

from inference.errors import ImageError

MAGIC = b"BM"
MAX_RUN_LENGTH_PIXELS = 4_000_000  # two seconds in this loop, should each pixel be a run

_START, _HEADER = 10, 14
_SIZE = struct.Struct("<IiiHHI")  # header's size, width, height, planes, bits, compression
_MIN_HEADER_BYTES = 40
_COLOURS = 46
_KINDS = {(8, 1): 8, (4, 2): 4}  # bits and compression
_END_OF_ROW, _END, _DELTA = 0, 1, 2
_NIBBLES = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))


def expand_run_lengths(data: bytes) -> bytes:
    """Return a BMP file of 8 bits a pixel without compression; one that is not run-length encoded as it is.

    Raises:
        ImageError: if it has very many pixels, or pixels without a value.
    """
    if len(data) < _HEADER + _MIN_HEADER_BYTES:
        return data
    header_bytes, width, height, planes, bits, compression = _SIZE.unpack_from(data, _HEADER)
    (start,) = struct.unpack_from("<I", data, _START)
    depth = _KINDS.get((bits, compression))
    has_palette = start >= _HEADER + header_bytes >= _HEADER + _MIN_HEADER_BYTES
    if depth is None or not has_palette or width <= 0 or height <= 0:
        return data
    if width * height > MAX_RUN_LENGTH_PIXELS:
        raise ImageError(
            f"The image has {width}x{height} pixels, which is over the limit of {MAX_RUN_LENGTH_PIXELS} for a"
            " run-length encoded BMP; send a PNG."
        )
    head = bytearray(data[:start])
    _SIZE.pack_into(head, _HEADER, header_bytes, width, height, planes, 8, 0)
    (colours,) = struct.unpack_from("<I", head, _COLOURS)
    struct.pack_into("<I", head, _COLOURS, colours or 1 << depth)
    return bytes(head) + _expanded(data, start, width, height, depth)


def _expanded(data: bytes, position: int, width: int, height: int, depth: int) -> bytes:
    """Return the rows of pixels, each filled up to four bytes."""
    stride = (width + 3) // 4 * 4
    pixels = bytearray(stride * height)
    x = y = 0
    while position + 1 < len(data):
        count, value = data[position], data[position + 1]
        position += 2
        if count == 0 and value <= _DELTA:
            if value == _END:
                break
            if value == _DELTA or x != width:
                raise ImageError("The run-length encoded BMP image leaves pixels without a value; send a PNG.")
            x, y = 0, y + 1
            continue
        nbytes = 0 if count else (value * depth + 7) // 8
        run = _run(count, value, depth) if count else _plain(data[position : position + nbytes], value, depth)
        position += nbytes + nbytes % 2
        if x + len(run) > width or y == height:
            raise ImageError("The image is damaged and cannot be decoded.")
        pixels[y * stride + x : y * stride + x + len(run)] = run
        x += len(run)
    if (x, y) not in ((0, height), (width, height - 1)):
        raise ImageError("The image is truncated.")
    return bytes(pixels)


def _run(count: int, value: int, depth: int) -> bytes:
    return bytes((value,)) * count if depth == 8 else (bytes((value >> 4, value & 0xF)) * (count // 2 + 1))[:count]


def _plain(stored: bytes, count: int, depth: int) -> bytes:
    return stored if depth == 8 else stored.hex().encode().translate(_NIBBLES)[:count]
