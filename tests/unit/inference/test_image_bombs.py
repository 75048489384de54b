"""Small files that would cost gigabytes or hours are refused before any pixel is decoded."""

import contextlib
import io
import struct
import time
import tracemalloc
import zlib

import pytest
from PIL import Image

from inference.errors import ImageError
from inference.image_costs import MAX_JPEG_SCANS, MAX_PYTHON_PIXELS, check_codec
from inference.image_files.orientation import read_orientation
from inference.images import ImageLimits, decode_image, open_image

LIMITS = ImageLimits(max_bytes=32_000_000, max_pixels=10_000_000)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def run_length_bitmap(width: int, height: int, body: bytes) -> bytes:
    """A BMP of 256 colours with compression 1 (BITMAPINFOHEADER)."""
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    offset = 14 + 40 + len(palette)
    file_header = b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset)
    return (
        file_header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0) + palette + body
    )


def tiled_tiff(tile_side: int) -> bytes:
    """A TIFF of 10x10 pixels whose one tile, of zeros, has the given side (TIFF 6.0, section 15)."""
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(3 * tile_side)) for _ in range(tile_side)) + packer.flush()
    entries = [(256, 10), (257, 10), (258, None), (259, 8), (262, 2), (277, 3), (322, tile_side), (323, tile_side)]
    entries += [(324, None), (325, len(data))]
    after = 8 + 2 + 12 * len(entries) + 4
    bits = struct.pack("<HHH", 8, 8, 8)
    places = {258: (3, 3, after), 324: (4, 1, after + len(bits))}
    directory = b"".join(struct.pack("<HHII", tag, *places.get(tag, (4, 1, value))) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + bits + data


def jpeg_of_scans(count: int, *, fill: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan comes ``count`` times over, with something between the scans."""
    data = encoded(Image.effect_noise((64, 64), 60), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + (data[last:-2] + fill) * count + b"\xff\xd9"


@pytest.mark.parametrize("height", [1, 3])
def test_a_bitmap_that_skips_to_gigabytes_is_refused(height: int) -> None:
    skip_255_rows = b"\x00\x02\x00\xff"
    with pytest.raises(ImageError, match="run-length encoded BMP"):
        decode_image(run_length_bitmap(3_000_000, height, skip_255_rows + b"\x00\x01"), LIMITS)


def test_a_tile_counts_with_all_its_pixels() -> None:
    with pytest.raises(ImageError, match="over the limit"):
        decode_image(tiled_tiff(3200), LIMITS)


def test_an_ordinary_tile_is_decoded() -> None:
    assert decode_image(tiled_tiff(256), LIMITS).shape == (3, 10, 10)


def test_a_tile_is_paid_for_in_memory() -> None:
    tiled, small = open_image(tiled_tiff(1600), LIMITS), open_image(tiled_tiff(16), LIMITS)
    assert tiled.decoding_bytes == 10_000 * small.decoding_bytes


@pytest.mark.parametrize("fill", [b"", b"\xff\xfe\x00\x04\xff\xd9", b"\xff\xff"])
def test_a_jpeg_of_very_many_scans_is_refused(fill: bytes) -> None:
    with pytest.raises(ImageError, match="scans"):
        decode_image(jpeg_of_scans(MAX_JPEG_SCANS + 1, fill=fill), LIMITS)


def test_a_jpeg_of_some_scans_is_decoded() -> None:
    assert decode_image(jpeg_of_scans(3), LIMITS).shape == (3, 64, 64)


def test_a_film_behind_a_jpeg_is_not_counted() -> None:
    film = b"\xff\xda\x00\x02" * 1000
    assert decode_image(encoded(Image.new("RGB", (8, 8)), "JPEG") + film, LIMITS).shape == (3, 8, 8)


def test_a_codec_that_is_a_loop_in_python_takes_small_images_only() -> None:
    for side, is_small in ((100, True), (int(MAX_PYTHON_PIXELS**0.5) + 1, False)):
        image = Image.open(io.BytesIO(b"P3\n%d %d\n255\n" % (side, side)))
        with contextlib.nullcontext() if is_small else pytest.raises(ImageError, match="for its encoding"):
            check_codec(image)


def test_a_progressive_jpeg_costs_more_memory_than_a_plain_one() -> None:
    image = Image.new("RGB", (64, 64))
    plain, progressive = (encoded(image, "JPEG", progressive=progressive) for progressive in (False, True))
    assert open_image(plain, LIMITS).decoding_bytes < open_image(progressive, LIMITS).decoding_bytes


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_compressed_comments_are_never_unpacked() -> None:
    comment = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))
    png = encoded(Image.new("RGB", (8, 8)), "PNG")
    tracemalloc.start()
    try:
        assert decode_image(png[:33] + comment * 1000 + png[33:], LIMITS).shape == (3, 8, 8)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_profile_of_exif_is_not_unpacked_without_bound() -> None:
    bomb = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n9\n" + b"0" * 100_000_000))
    png = encoded(Image.new("RGB", (8, 8)), "PNG")
    tracemalloc.start()
    try:
        assert decode_image(png[:33] + bomb + png[33:], LIMITS).shape == (3, 8, 8)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("blocks", [b"!\xfe\0" * 3_000_000, b"!\xfe" + b"\1x" * 4_000_000 + b"\0", bytes(8_000_000)])
def test_a_gif_of_very_much_before_its_pixels_is_refused_at_once(blocks: bytes) -> None:
    gif = encoded(Image.new("RGB", (8, 8), (250, 0, 0)), "GIF")
    start_of_image = gif.index(b",")
    start = time.thread_time()
    with pytest.raises(ImageError, match="more than 200000 blocks"):
        open_image(gif[:start_of_image] + blocks + gif[start_of_image:], LIMITS)
    assert time.thread_time() - start < 1


def test_a_gif_with_a_comment_of_megabytes_is_decoded() -> None:
    gif = encoded(Image.new("RGB", (8, 8), (250, 0, 0)), "GIF")
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0"
    start_of_image = gif.index(b",")
    pixels = decode_image(gif[:start_of_image] + comment + gif[start_of_image:], LIMITS)
    assert pixels.flatten(1).unique(dim=1).flatten().tolist() == [250, 0, 0]


def test_exif_of_very_much_is_looked_through_at_once() -> None:
    for block in (b"Exif\0\0" * 5_000_000, b"II*\0\x08\0\0\0\xff\xff" + bytes(30_000_000)):
        start = time.thread_time()
        assert read_orientation(block) == 1
        assert time.thread_time() - start < 1


def test_a_png_of_a_million_chunks_is_refused_at_once() -> None:
    png = encoded(Image.new("RGB", (8, 8)), "PNG")
    for place in (33, len(png) - 12):
        data = png[:place] + png_chunk(b"tEXt", b"") * 1_000_000 + png[place:]
        start = time.thread_time()
        with pytest.raises(ImageError, match="more than 25000 chunks"):
            open_image(data, LIMITS)
        assert time.thread_time() - start < 1


@pytest.mark.parametrize("filler", [b"\xff", b"\0", b"\xff\0", b"\xff\xfe\0\2", b"\xff\xd0"])
def test_a_jpeg_of_very_much_before_its_pixels_is_refused_at_once(filler: bytes) -> None:
    jpeg = encoded(Image.new("RGB", (8, 8)), "JPEG")
    data = jpeg[:2] + filler * (8_000_000 // len(filler)) + jpeg[2:]
    start = time.thread_time()
    with pytest.raises(ImageError):
        open_image(data, LIMITS)
    assert time.thread_time() - start < 1
