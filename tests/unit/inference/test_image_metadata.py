"""Metadata that is not used refuses no image, whatever its size and state; and sentences are true where it does."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from inference.errors import ImageError
from inference.images import ImageLimits, decode_image
from tests.unit.inference.image_writers import exif, exif_segment, jpeg_segment, png, png_chunk, tiff, tiff_fields

LIMITS = ImageLimits(max_bytes=64_000_000, max_pixels=10**6)
ROWS = [bytes(range(row, row + 24)) for row in range(6)]
MEGABYTES = bytes(3_000_000)
ZLIB_OF_MEGABYTES = zlib.compress(MEGABYTES)


def pixels_of(data: bytes) -> np.ndarray:
    return decode_image(data, LIMITS).permute(1, 2, 0).numpy()


UNUSED: dict[str, bytes] = {
    "text of megabytes": png_chunk(b"tEXt", b"parameters\0" + MEGABYTES),
    "compressed text of megabytes": png_chunk(b"zTXt", b"k\0\0" + ZLIB_OF_MEGABYTES),
    "XMP of megabytes": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + ZLIB_OF_MEGABYTES),
    "very many texts": png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 100,
    "profile of megabytes": png_chunk(b"iCCP", b"p\0\0" + ZLIB_OF_MEGABYTES),
    "unknown compression of a profile": png_chunk(b"iCCP", b"p\0\7" + zlib.compress(b"x")),
    "profile without an end of its name": png_chunk(b"iCCP", b"p"),
    "damaged text": png_chunk(b"zTXt", b"k\0\0damaged"),
    "unknown compression of a text": png_chunk(b"zTXt", b"k\0\7" + zlib.compress(b"x")),
    "text that is no text": png_chunk(b"iTXt", b"k\0\1\0\0\0damaged"),
    "short gamma": png_chunk(b"gAMA", b"1"),
    "short chromaticities": png_chunk(b"cHRM", b"1"),
    "short resolution": png_chunk(b"pHYs", b"1"),
    "short sRGB": png_chunk(b"sRGB", b""),
    "film of no frames": png_chunk(b"acTL", bytes(8)),
    "frame outside of the image": png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 99, 99, 99, 99, 1, 1, 0, 0)),
    "frame out of turn": png_chunk(b"fdAT", struct.pack(">I", 7) + b"x"),
    "a tool's own": png_chunk(b"prVW", MEGABYTES),
}
CHECKED = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"sRGB", b"bKGD", b"eXIf", b"caNv")


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", UNUSED)
def test_unused_chunks_of_a_png_do_not_matter(name: str, place: str) -> None:
    data = png(ROWS, 8, 8, 2, **{place: UNUSED[name]})  # type: ignore[arg-type]
    np.testing.assert_array_equal(pixels_of(data), np.frombuffer(b"".join(ROWS), np.uint8).reshape(6, 8, 3))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", CHECKED)
def test_wrong_checksum_of_an_unused_chunk_does_not_matter(kind: bytes, place: str) -> None:
    damaged = png_chunk(kind, b"x\0" + bytes(40), damage=1)
    data = png(ROWS, 8, 8, 2, **{place: damaged})  # type: ignore[arg-type]
    np.testing.assert_array_equal(pixels_of(data), np.frombuffer(b"".join(ROWS), np.uint8).reshape(6, 8, 3))


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS"])
def test_wrong_checksum_of_a_used_chunk_does_matter(kind: bytes) -> None:
    palette = png_chunk(b"PLTE", bytes(range(30))) + png_chunk(b"tRNS", bytes(10))
    data = bytearray(png([bytes(range(8))], 8, 8, 3, before=palette))
    data[data.index(kind) + 5] ^= 1
    with pytest.raises(ImageError, match="begins like a PNG image, but its header is"):
        decode_image(bytes(data), LIMITS)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pixels_may_be_cut_into_any_chunks(size: int) -> None:
    whole, cut = (pixels_of(png(ROWS, 8, 8, 2, cut=each)) for each in (0, size))
    np.testing.assert_array_equal(cut, whole)


def test_a_png_that_ends_within_its_pixels_is_truncated() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 150), np.uint8)
    data = png([row.tobytes() for row in noise], 50, 8, 2, cut=100)
    for end in (len(data) // 2, len(data) // 2 + 50, len(data) - 40):
        with pytest.raises(ImageError, match=r"^The image is truncated\.$"):
            decode_image(data[:end], LIMITS)


def jpeg(*segments: bytes, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    gradient = Image.linear_gradient("L").resize((40, 24))
    Image.merge("RGB", (gradient, gradient.rotate(180), gradient)).convert(mode).save(stream, "JPEG", quality=95)
    data = stream.getvalue()
    return data[:2] + b"".join(segments) + data[2:]


SEGMENTS: dict[str, Callable[[], bytes]] = {
    "JFIF without its fields": lambda: jpeg_segment(0xE0, b"JFIF\0"),
    "Adobe without its fields": lambda: jpeg_segment(0xEE, b"Adobe"),
    "Photoshop, cut off": lambda: jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\4\4"),
    "Photoshop, resolution cut off": lambda: jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\1x"),
    "further images, damaged": lambda: jpeg_segment(0xE2, b"MPF\0" + b"\xff" * 20),
    "further images, none": lambda: jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0"),
    "profile in parts that are missing": lambda: jpeg_segment(0xE2, b"ICC_PROFILE\0\1"),
    "profile without a number": lambda: jpeg_segment(0xE2, b"ICC_PROFILE\0"),
    "EXIF of nonsense": lambda: exif_segment(b"MM\0*" + b"\xff" * 30),
    "EXIF whose resolution is a text": lambda: exif_segment(
        b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHIIHHII", 0x11A, 2, 4, 0, 0x128, 3, 1, 2) + bytes(4)
    ),
    "comments of a megabyte": lambda: jpeg_segment(0xFE, bytes(65_000)) * 16,
    "very many small segments": lambda: jpeg_segment(0xEF, b"") * 5000,
    "filler": lambda: b"\xff" * 1000,
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", SEGMENTS)
def test_unused_segments_of_a_jpeg_do_not_matter(name: str, mode: str) -> None:
    np.testing.assert_array_equal(pixels_of(jpeg(SEGMENTS[name](), mode=mode)), pixels_of(jpeg(mode=mode)))


def test_orientation_is_read_beside_damaged_segments() -> None:
    for name, segment in SEGMENTS.items():
        if not name.startswith("EXIF"):
            assert pixels_of(jpeg(exif_segment(exif(6)), segment())).shape == (40, 24, 3), name


def test_colours_of_an_adobe_jpeg_do_not_change_without_its_damaged_metadata() -> None:
    stream = io.BytesIO()
    Image.new("CMYK", (16, 16), (10, 200, 30, 40)).save(stream, "JPEG", quality=100)
    data = stream.getvalue()
    damaged = data[:2] + SEGMENTS["Photoshop, cut off"]() + SEGMENTS["JFIF without its fields"]() + data[2:]
    np.testing.assert_array_equal(pixels_of(damaged), pixels_of(data))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "The JPEG image has 12 bits a sample"),
        (jpeg()[:20], "The data begins like a JPEG image, but its header is truncated, damaged, or of a variant"),
        (png(ROWS, 8, 8, 2)[:30], "The data begins like a PNG image, but its header is truncated"),
        (b"GIF89a", "The data begins like a GIF image"),
        (b"BM" + bytes(60), "The data begins like a BMP image"),
        (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(20), "The data begins like a WebP image"),
        (b"P5\n-1 4\n255\n", "The data begins like a PNM image"),
        (b"II*\0\x08\0\0\0", "The data begins like a TIFF image"),
        (
            tiff(tiff_fields(1, 1, bits=[64]), [bytes(8)]),
            "The TIFF image is damaged, or of a kind that is not supported",
        ),
        (
            b"\0\0\1\0\1\0\x10\x10",
            "The data is not an image that can be read (supported are JPEG, PNG, WebP, HEIC, AVIF, GIF, ",
        ),
    ],
)
def test_sentence_says_what_the_data_is(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError) as error:
        decode_image(data, LIMITS)
    assert str(error.value).startswith(sentence)
