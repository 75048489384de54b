"""Run-length encoded BMP images give the pixels that were encoded, or a sentence where a pixel has no value."""

import struct
from itertools import groupby

import numpy as np
import pytest

from inference.errors import ImageError
from inference.image_files.bmp import MAX_RUN_LENGTH_PIXELS
from inference.images import ImageLimits, decode_image

LIMITS = ImageLimits(max_bytes=10**7, max_pixels=10**7)
END_OF_ROW, END, SKIP = b"\0\0", b"\0\1", b"\0\2\1\1"


def bitmap(body: bytes, width: int, height: int, bits: int = 8, *, colours: int = 0) -> bytes:
    """A bitmap in whose palette colour n is a gray of n times 255 by the number of colours."""
    count = colours or 1 << bits
    palette = b"".join(bytes([n * 255 // (count - 1)] * 3 + [0]) for n in range(count))
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 1 if bits == 8 else 2, len(body), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body


def runs(rows: np.ndarray, bits: int) -> bytes:
    """Encode rows from the bottom; runs as such where they are long, other pixels plainly."""
    body = b""
    for row in rows[::-1].tolist():
        for value, group in groupby(row):
            count = len(list(group))
            body += bytes([count, value if bits == 8 else value << 4 | value])
        body += END_OF_ROW
    return body[:-2] + END


def plain(rows: np.ndarray, bits: int) -> bytes:
    body = b""
    for row in rows[::-1].tolist():
        nibbles = row + [0] * (len(row) % 2)
        stored = (
            bytes(row) if bits == 8 else bytes(a << 4 | b for a, b in zip(nibbles[::2], nibbles[1::2], strict=True))
        )
        body += bytes([0, len(row)]) + stored + b"\0" * (len(stored) % 2) + END_OF_ROW
    return body + END


@pytest.mark.parametrize("encode", [runs, plain])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [3, 7, 16, 253])
def test_pixels_are_those_that_were_encoded(encode: object, bits: int, width: int) -> None:
    rows = np.random.default_rng(width).integers(0, 1 << bits, (5, width))
    rows[2] = rows[2, 0]  # a long run, and the same row twice
    rows[3] = rows[2]
    found = decode_image(bitmap(encode(rows, bits), width, 5, bits), LIMITS)  # type: ignore[operator]
    expected = rows * 255 // ((1 << bits) - 1)
    assert all(np.array_equal(channel, expected) for channel in found.numpy())


def test_a_run_of_two_colours_alternates() -> None:
    found = decode_image(bitmap(bytes([5, 0x0F]) + END, 5, 1, 4), LIMITS)
    assert found[0].tolist() == [[0, 255, 0, 255, 0]]


def test_a_palette_may_be_short() -> None:
    found = decode_image(bitmap(bytes([2, 2]) + END, 2, 1, colours=3), LIMITS)
    assert found[0].tolist() == [[255, 255]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\2\1" + SKIP + b"\2\1" + END, "leaves pixels without a value"),
        (b"\1\1" + END_OF_ROW + b"\2\1" + END, "leaves pixels without a value"),
        (END_OF_ROW + b"\2\1" + END, "leaves pixels without a value"),
        (b"\2\1" + END, "truncated"),
        (b"\2\1" + END_OF_ROW + b"\2", "truncated"),
        (b"\2\1" + END_OF_ROW + b"\1\1" + END, "truncated"),
        (b"\3\1" + END_OF_ROW, "damaged"),
        ((b"\2\1" + END_OF_ROW) * 3, "damaged"),
        (b"\0\4\1\1\1\1", "damaged"),
    ],
)
def test_pixels_without_a_value_or_a_place_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        decode_image(bitmap(body, 2, 2), LIMITS)


def test_very_many_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="over the limit of 4000000 for a run-length encoded BMP"):
        decode_image(bitmap(END, MAX_RUN_LENGTH_PIXELS + 1, 1), LIMITS)
