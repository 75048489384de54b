"""What samples mean is known from the file, or the image is refused: ranges, negatives, transparency.

Expected values are computed here from what the formats' specifications say of a sample: PNG third edition (sections
11.3.1.1, 12.3, 13.13), TIFF 6.0 (BitsPerSample, PhotometricInterpretation, ExtraSamples, SampleFormat), Netpbm, and
the bitmap headers of Windows.
"""

import io
import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from inference.errors import ImageError
from inference.images import ImageLimits, decode_image
from tests.unit.inference.image_writers import SHORT, bmp_32, png, png_chunk, tiff, tiff_fields

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
ORDERS = ["<", ">"]
DEFLATE = 8


def decoded(data: bytes) -> list[list[int]]:
    """Return the RGB values of the pixels, row after row."""
    pixels = decode_image(data, LIMITS).permute(1, 2, 0).reshape(-1, 3)
    return [list(map(int, pixel)) for pixel in pixels]


def grays(data: bytes) -> list[int]:
    pixels = decoded(data)
    assert all(len(set(pixel)) == 1 for pixel in pixels)
    return [pixel[0] for pixel in pixels]


def scaled(samples: list[int], most: int) -> list[int]:
    """Samples of which ``most`` is white in 8 bits, rounded to the nearest."""
    return [int(Fraction(255 * sample, most) + Fraction(1, 2)) for sample in samples]


def packed(samples: list[int], bits: int, order: str = ">") -> bytes:
    if bits == 16:
        return struct.pack(f"{order}{len(samples)}H", *samples)
    text = "".join(f"{sample:0{bits}b}" for sample in samples)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def gray_tiff(samples: list[int], bits: int, order: str, *, compression: int = 1, **fields: int) -> bytes:
    strip = packed(samples, bits, order)
    strip = zlib.compress(strip) if compression == DEFLATE else strip
    return tiff(tiff_fields(len(samples), 1, bits=[bits], compression=compression, **fields), [strip], order)


# TIFF: which samples are white is known from BitsPerSample and PhotometricInterpretation.

RAMPS = {2: [0, 1, 2, 3], 4: [0, 1, 9, 15], 8: [0, 1, 128, 255], 12: [0, 1000, 2048, 4095], 16: [0, 1000, 32768, 65535]}


@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bits", RAMPS)
def test_gray_of_a_tiff_is_scaled_by_its_bits(bits: int, order: str, compression: int) -> None:
    data = gray_tiff(RAMPS[bits], bits, order, compression=compression)
    if (bits, order) == (12, ">"):  # which Pillow does not read
        with pytest.raises(ImageError, match="BitsPerSample 12, SampleFormat 1, PhotometricInterpretation 1"):
            decode_image(data, LIMITS)
    else:
        assert grays(data) == scaled(RAMPS[bits], (1 << bits) - 1)


@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bits", RAMPS)
def test_a_tiff_whose_white_is_zero_is_no_negative(bits: int, order: str, compression: int) -> None:
    data = gray_tiff(RAMPS[bits], bits, order, compression=compression, photometric=0)
    if bits == 12 or (bits, order) == (16, ">"):  # which Pillow does not read
        with pytest.raises(ImageError, match=f"BitsPerSample {bits}, SampleFormat 1, PhotometricInterpretation 0"):
            decode_image(data, LIMITS)
    else:
        most = (1 << bits) - 1
        assert grays(data) == scaled([most - sample for sample in RAMPS[bits]], most)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_signed_samples_are_refused(bits: int, order: str) -> None:
    data = tiff(tiff_fields(2, 1, bits=[bits], sample_format=2), [bytes(bits // 4)], order)
    with pytest.raises(ImageError, match=f"BitsPerSample {bits}, SampleFormat 2, .*not known what is white"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", ORDERS)
def test_samples_of_32_bits_are_refused(order: str, photometric: int) -> None:
    data = tiff(tiff_fields(2, 1, bits=[32], photometric=photometric), [bytes(8)], order)
    with pytest.raises(ImageError, match=r"BitsPerSample 32, .*8 bits a sample, gray or RGB\.$"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("order", ORDERS)
def test_16_bits_without_a_photometric_interpretation_are_refused(order: str) -> None:
    fields = tiff_fields(2, 1, bits=[16])
    del fields[262]
    with pytest.raises(ImageError, match="PhotometricInterpretation missing"):
        decode_image(tiff(fields, [bytes(4)], order), LIMITS)


def test_floating_point_maps_are_refused() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        decode_image(b"Pf\n2 1\n-1.0\n" + struct.pack("<2f", 0.5, 1), LIMITS)


RGB_16 = [0x1234, 0x8000, 0xFF01, 0, 0xFFFF, 0x00FF]


@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("order", ORDERS)
def test_16_bit_rgb_of_a_tiff_is_read_in_either_layout_or_refused(order: str, planar: int, compression: int) -> None:
    planes = [RGB_16] if planar == 1 else [RGB_16[channel::3] for channel in range(3)]
    strips = [packed(plane, 16, order) for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if compression == DEFLATE else strips
    fields = tiff_fields(2, 1, bits=[16] * 3, photometric=2, planar=planar, compression=compression)
    data = tiff(fields, strips, order)
    if (planar, compression) == (2, 1):  # of which Pillow would read every byte as a sample
        with pytest.raises(ImageError, match="PlanarConfiguration 2"):
            decode_image(data, LIMITS)
    else:
        assert decoded(data) == [[sample >> 8 for sample in RGB_16[at : at + 3]] for at in (0, 3)]


def test_subsampled_ycbcr_without_compression_is_refused() -> None:
    """Section 21: four luma samples and two of chroma together, which Pillow would take for three samples a pixel."""
    data = tiff(tiff_fields(2, 2, bits=[8] * 3, photometric=6), [bytes(12)])
    with pytest.raises(ImageError, match="PhotometricInterpretation 6"):
        decode_image(data, LIMITS)


def test_unknown_photometric_interpretation_is_named() -> None:
    data = tiff(tiff_fields(2, 1, bits=[8] * 3, photometric=9), [bytes(6)])  # ICC L*a*b*
    with pytest.raises(ImageError, match=r"kind that is not supported .*PhotometricInterpretation 9"):
        decode_image(data, LIMITS)


# TIFF: extra samples.


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("extra", "pixels", "expected"),
    [
        (0, [(200, 100, 50, 0), (1, 2, 3, 9)], [[200, 100, 50], [1, 2, 3]]),  # unspecified data
        (2, [(200, 100, 50, 255), (200, 100, 50, 0), (0, 0, 0, 51)], [[200, 100, 50], [255] * 3, [204] * 3]),
        (1, [(200, 100, 50, 255), (0, 0, 0, 0), (20, 40, 60, 102)], [[200, 100, 50], [255] * 3, [173, 193, 213]]),
        (2, [(9, 9, 9, 0), (8, 8, 8, 0)], [[255] * 3, [255] * 3]),  # declared: nothing is to be seen
    ],
)
def test_extra_sample_is_what_the_file_says(
    order: str, extra: int, pixels: list[tuple[int, ...]], expected: list[list[int]]
) -> None:
    """Associated alpha has been multiplied in, so that white adds what is missing to 255: 20 + 153 is 173."""
    fields = tiff_fields(len(pixels), 1, bits=[8] * 4, photometric=2, extra=[extra])
    found = decoded(tiff(fields, [bytes(value for pixel in pixels for value in pixel)], order))
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize(("extra", "expected"), [(0, [50, 0]), (1, [205, 255]), (2, [175, 255])])
def test_gray_with_an_extra_sample_is_composed_on_white(extra: int, expected: list[int]) -> None:
    data = tiff(tiff_fields(2, 1, bits=[8, 8], extra=[extra]), [bytes([50, 100, 0, 0])])
    np.testing.assert_allclose(grays(data), expected, atol=1)


def test_palette_with_alpha_is_composed_on_white() -> None:
    colours = [0] * 768
    colours[1] = 200 * 257  # the red of colour 1
    fields = {**tiff_fields(2, 1, bits=[8, 8], photometric=3, extra=[2]), 320: (SHORT, colours)}
    assert decoded(tiff(fields, [bytes([1, 255, 1, 0])])) == [[200, 0, 0], [255, 255, 255]]


def test_alpha_that_nobody_declared_and_filled_in_is_none() -> None:
    fields = tiff_fields(2, 1, bits=[8] * 4, photometric=2)
    assert decoded(tiff(fields, [bytes([1, 2, 3, 0, 4, 5, 6, 0])])) == [[1, 2, 3], [4, 5, 6]]
    assert decoded(tiff(fields, [bytes([1, 2, 3, 255, 4, 5, 6, 0])])) == [[1, 2, 3], [255, 255, 255]]


# BMP: writers of 32 bits often leave the alpha byte empty.


def test_bitmap_whose_alpha_is_0_everywhere_is_opaque() -> None:
    pixels = [(200, 10, 20, 0), (0, 0, 0, 0), (1, 2, 3, 0)]
    assert decoded(bmp_32(pixels, 3)) == [[200, 10, 20], [0, 0, 0], [1, 2, 3]]


def test_bitmap_with_alpha_is_composed_on_white() -> None:
    assert decoded(bmp_32([(200, 10, 20, 0), (0, 0, 0, 51), (9, 8, 7, 255)], 3)) == [[255] * 3, [204] * 3, [9, 8, 7]]


def test_bitmap_without_an_alpha_mask_is_opaque() -> None:
    assert decoded(bmp_32([(200, 10, 20, 0), (9, 8, 7, 128)], 2, alpha_mask=0)) == [[200, 10, 20], [9, 8, 7]]


# PNG: the transparent colour of tRNS is given in the depth of the image.

GRAY, RGB, PALETTE = 0, 2, 3


@pytest.mark.parametrize("chunk_bytes", [0, 3])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_transparent_gray_is_compared_in_the_depth_of_the_image(depth: int, chunk_bytes: int) -> None:
    most = (1 << depth) - 1
    # All of the samples that share their low bits, high byte or low byte with another one.
    samples = list(range(most + 1)) if depth < 8 else [0, 1, 200, 255] * 2 if depth == 8 else []
    samples = samples or [0x1234, 0x12FF, 0x3412, 0x0012, 0x0034, 0, 0xFFFF, 0x1235]
    samples *= max(1, 8 // len(samples))
    for transparent in set(samples):
        chunk = png_chunk(b"tRNS", struct.pack(">H", transparent))
        data = png([packed(samples, depth)], len(samples), depth, GRAY, before=chunk, cut=chunk_bytes)
        opaque = scaled(samples, most)
        expected = [255 if sample == transparent else gray for sample, gray in zip(samples, opaque, strict=True)]
        assert grays(data) == expected


def test_bits_above_the_depth_do_not_count() -> None:
    chunk = png_chunk(b"tRNS", struct.pack(">H", 0xAB00 | 0b01))
    assert grays(png([packed([0, 1, 2, 3], 2)], 4, 2, GRAY, before=chunk)) == [0, 255, 170, 255]


@pytest.mark.parametrize("transparent", [(0x1234, 0x5678, 0x9ABC), (0, 0, 0), (0xFFFF, 0, 1)])
def test_transparent_colour_of_16_bits_is_compared_in_all_of_them(transparent: tuple[int, int, int]) -> None:
    near = [(0x1234, 0x5678, 0x9ABC), (0x1235, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9BBC), (0x3412, 0x7856, 0xBC9A)]
    near += [(0x0034, 0x0078, 0x00BC), (0, 0, 0), (0, 0, 1), (0, 256, 0), (0xFFFF, 0, 1), (0xFFFE, 0, 1)]
    rows = [packed([sample for colour in near for sample in colour], 16)] * 3
    chunk = png_chunk(b"tRNS", struct.pack(">3H", *transparent))
    expected = [[255] * 3 if colour == transparent else [sample >> 8 for sample in colour] for colour in near]
    assert decoded(png(rows, len(near), 16, RGB, before=chunk)) == expected * 3


def test_transparent_colour_of_8_bits_is_compared_in_these() -> None:
    chunk = png_chunk(b"tRNS", struct.pack(">3H", 0x0110, 0x20, 0x30))
    assert decoded(png([bytes([16, 32, 48, 16, 32, 49])], 2, 8, RGB, before=chunk)) == [[255] * 3, [16, 32, 49]]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_colours_of_a_palette_have_alpha_of_their_own(depth: int) -> None:
    colours = png_chunk(b"PLTE", bytes([10, 20, 30, 0, 0, 0])) + png_chunk(b"tRNS", bytes([0, 51]))
    samples = [0, 1] * 4
    found = decoded(png([packed(samples, depth)], 8, depth, PALETTE, before=colours))
    assert found == [[255] * 3, [204] * 3] * 4


def test_damaged_transparency_is_not_guessed() -> None:
    chunk = png_chunk(b"tRNS", struct.pack(">H", 1), damage=1)
    with pytest.raises(ImageError, match="begins like a PNG image"):
        decode_image(png([packed([0, 1, 2, 3], 2)], 4, 2, GRAY, before=chunk), LIMITS)


def test_interlaced_colours_of_16_bits_are_compared_too() -> None:
    """Section 8.1: of 2x2 pixels, Adam7 sends (0, 0), then (1, 0), then the second row."""
    colours = [(0x0102, 0x0304, 0x0506), (0x0103, 0x0304, 0x0506), (0x0102, 0x0304, 0x0507), (0x0102, 0x0304, 0x0506)]
    first, second, *third = [struct.pack(">3H", *colour) for colour in colours]
    pixels = zlib.compress(b"\0" + first + b"\0" + second + b"\0" + b"".join(third))
    header = struct.pack(">IIBBBBB", 2, 2, 16, RGB, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"tRNS", first), (b"IDAT", pixels), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)
    assert decoded(data) == [[255] * 3, [1, 3, 5], [1, 3, 5], [255] * 3]


# PNM: the largest value is in the header.


@pytest.mark.parametrize("most", [1, 15, 100, 255, 1023, 4095, 65535])
def test_gray_of_a_pnm_is_scaled_by_its_largest_value(most: int) -> None:
    samples = [0, most // 3, most // 2, most]
    binary = packed(samples, 16 if most > 255 else 8)
    plain = " ".join(map(str, samples)).encode()
    expected = scaled(samples, most)
    np.testing.assert_allclose(grays(b"P5\n4 1\n%d\n" % most + binary), expected, atol=1)
    np.testing.assert_allclose(grays(b"P2\n4 1\n%d\n" % most + plain), expected, atol=1)


def test_lab_has_the_colours_of_its_values() -> None:
    """Section 23: L* from 0 to 255 for 0 to 100, a* and b* signed; neutral colours are gray, positive a* is red."""
    data = tiff(tiff_fields(3, 1, bits=[8] * 3, photometric=8), [bytes([255, 0, 0, 0, 0, 0, 128, 60, 0])])
    white, black, red = decoded(data)
    assert min(white) >= 250
    assert max(black) <= 5
    assert red[0] > red[1] + 60


def test_ycck_and_cmyk_of_adobe_are_inverted() -> None:
    stream = io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(stream, "JPEG", quality=100)
    assert b"Adobe" in stream.getvalue()
    assert all(
        abs(value - wanted) <= 6 for value, wanted in zip(decoded(stream.getvalue())[0], (255, 0, 0), strict=True)
    )
