"""Estimates grow with what makes images dear, are bounded, and are had from the head alone."""

import io
import struct

import pytest
from PIL import Image

from contract.image_costs import MAX_SECONDS, UNKNOWN_SECONDS, decoding_seconds


def encoded(side: int, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side)).save(stream, image_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_ten_times_the_side_costs_a_hundred_times_as_much(image_format: str) -> None:
    small, large = (decoding_seconds(encoded(side, image_format)) for side in (300, 3000))
    assert 30 < large / small < 120


def test_many_scans_cost_more() -> None:
    plain = encoded(1200, "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    assert decoding_seconds(plain[:last] + plain[last:-2] * 90 + b"\xff\xd9") > 3 * decoding_seconds(plain)


def test_head_of_memory_costs_the_same() -> None:
    content = encoded(300, "PNG")
    assert decoding_seconds(memoryview(content)) == decoding_seconds(content)


def test_what_is_no_image_costs_as_much_as_a_photograph() -> None:
    assert decoding_seconds(b"") == decoding_seconds(b"no image") == UNKNOWN_SECONDS


def test_no_image_costs_more_than_the_most() -> None:
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
    assert decoding_seconds(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + header) == MAX_SECONDS
