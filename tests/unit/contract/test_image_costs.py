"""Estimates grow with what makes images dear, are bounded, and are had from the head alone."""

import io
import struct

import pytest
from PIL import Image

from contract.image_costs import MAX_SECONDS, UNKNOWN_SECONDS, decoding_seconds, refusal_of


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
    baseline = encoded(1200, "JPEG")
    assert decoding_seconds(baseline[:-2] + b"\xff\xda" * 90 + b"\xff\xd9") < 1.1 * decoding_seconds(baseline)


def test_head_of_memory_costs_the_same() -> None:
    content = encoded(300, "PNG")
    assert decoding_seconds(memoryview(content)) == decoding_seconds(content)


def test_what_is_no_image_costs_as_much_as_a_photograph() -> None:
    assert decoding_seconds(b"") == decoding_seconds(b"no image") == UNKNOWN_SECONDS


def test_no_image_costs_more_than_the_most() -> None:
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + header
    assert decoding_seconds(content) == MAX_SECONDS
    assert "2147483647x2147483647 pixels, which is over the limit of 9." in (refusal_of(content, 9) or "")
    assert "The image (PNG, 2147483647x2147483647 pixels) would take about" in (refusal_of(content, 2**64) or "")


def test_tiles_that_are_decoded_for_a_corner_of_them_are_too_costly() -> None:
    entries = [(256, 5000), (257, 1), (258, 8), (259, 5), (262, 1), (322, 1), (323, 10_000_000)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + directory + bytes(4)
    assert "over the limit of 10" in (refusal_of(content, 10_000) or "")


def test_large_images_of_all_formats_are_not_too_costly() -> None:
    for image_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        assert refusal_of(encoded(3000, image_format), 9_000_000) is None
    assert refusal_of(b"no image", 1) is None
