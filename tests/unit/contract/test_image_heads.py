"""The heads of images say the same as Pillow, cost microseconds, and hostile ones neither raise nor take long."""

import io
import struct
import time
from itertools import islice

import pytest
from PIL import Image

from contract.image_heads.head import Codec
from contract.image_heads.reading import read_head
from inference.image_files.formats import register_formats
from tests.mutated_images import VARIANTS, mutations

WIDTH, HEIGHT = 37, 23
WRITTEN = [
    *[("JPEG", mode, {}) for mode in ("RGB", "L", "CMYK")],
    *[("PNG", mode, {}) for mode in ("RGB", "LA", "P", "I;16")],
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {}),
    ("WEBP", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (WIDTH, HEIGHT), "red")]}),
    ("BMP", "RGB", {}),
    ("TIFF", "RGB", {"big_tiff": True}),
    *[("PPM", mode, {}) for mode in ("1", "L", "RGB")],
    *VARIANTS,
]
SIZES = {"HEIF": (128, 64)}  # whose encoder fills up smaller images to 64 pixels
CODECS = {
    **{codec.name: [codec] for codec in Codec},
    "JPEG": [Codec.JPEG, Codec.PROGRESSIVE_JPEG],
    "WEBP": [Codec.WEBP, Codec.LOSSLESS_WEBP],
    "TIFF": [Codec.TIFF, Codec.UNCOMPRESSED_TIFF],
    "PPM": [Codec.PNM],
    "JPEG2000": [Codec.JPEG_2000],
    "HEIF": [Codec.HEIC],
}

register_formats()


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(("image_format", "mode", "options"), WRITTEN)
def test_head_has_the_size_that_pillow_reads(image_format: str, mode: str, options: dict[str, object]) -> None:
    frames = options.get("append_images")
    size = frames[0].size if isinstance(frames, list) else SIZES.get(image_format, (WIDTH, HEIGHT))
    content = encoded(Image.new(mode, size), image_format, **options)
    for each in (content, memoryview(content)):
        head = read_head(each)
        assert head is not None
        assert (head.width, head.height, head.decoded_pixels) == (*size, size[0] * size[1])
        assert head.codec in CODECS[image_format]


@pytest.mark.parametrize(("image_format", "mode", "bits"), [("PNG", "RGBA", 32), ("PNG", "I;16", 16), ("TIFF", "L", 8)])
def test_bits_of_a_pixel_are_those_of_all_its_samples(image_format: str, mode: str, bits: int) -> None:
    head = read_head(encoded(Image.new(mode, (WIDTH, HEIGHT)), image_format))
    assert head is not None
    assert head.bits == bits


def test_lossless_webp_is_told_from_the_usual_kind() -> None:
    image = Image.effect_noise((WIDTH, HEIGHT), 60).convert("RGBA")
    heads = [read_head(encoded(image, "WEBP", lossless=lossless, exif=b"Exif\0\0")) for lossless in (False, True)]
    assert [head and head.codec for head in heads] == [Codec.WEBP, Codec.LOSSLESS_WEBP]


def test_scans_of_a_large_jpeg_are_counted() -> None:
    image = Image.new("L", (1500, 1000))
    for progressive in (False, True):
        content = encoded(image, "JPEG", progressive=progressive)
        head = read_head(content)
        assert head is not None
        assert head.scans == content.count(b"\xff\xda")
        assert (head.scans > 1) == progressive


def test_first_image_of_a_gif_counts_where_it_is_larger_than_the_screen() -> None:
    content = bytearray(encoded(Image.new("P", (WIDTH, HEIGHT)), "GIF", comment=b"a" * 1000))
    content[6:10] = b"\1\0\1\0"
    head = read_head(bytes(content))
    assert head is not None
    assert (head.width, head.height) == (WIDTH, HEIGHT)


def test_tiles_of_a_tiff_count_with_all_their_pixels() -> None:
    entries = [(256, 4097), (257, 10), (322, 4096), (323, 2048)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = read_head(b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + directory)
    assert head is not None
    assert head.decoded_pixels == 2 * 4096 * 2048


@pytest.mark.parametrize(
    ("content", "codec", "size"),
    [
        (b"P5 # a comment\n# another\n 300\n200 255\n", Codec.PNM, (300, 200)),
        (b"P3\n300 200 255 1 1 1", Codec.PLAIN_PNM, (300, 200)),
        (b"\xff\x0a" + (1 | 29 << 1 | 1 << 6).to_bytes(12, "little"), Codec.JPEG_XL, (240, 240)),
        (
            b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\0jxlc\xff\x0a"
            + (0 | 1 << 1 | 999 << 3 | 3 << 16).to_bytes(12, "little"),
            Codec.JPEG_XL,
            (1333, 1000),
        ),
        (
            b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">IIII", 310, 220, 10, 20) + bytes(16) + b"\0\3",
            Codec.JPEG_2000,
            (300, 200),
        ),
    ],
)
def test_heads_that_pillow_does_not_write(content: bytes, codec: Codec, size: tuple[int, int]) -> None:
    head = read_head(content + bytes(32))
    assert head is not None
    assert (head.codec, (head.width, head.height)) == (codec, size)


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def sized(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4) + width.to_bytes(4, "big") + height.to_bytes(4, "big"))


@pytest.mark.parametrize(("brand", "codec"), [(b"heic", Codec.HEIC), (b"avif", Codec.AVIF)])
def test_heif_has_the_size_of_its_largest_image(brand: bytes, codec: Codec) -> None:
    properties = box(b"ipco", sized(512, 512) + box(b"pixi", bytes(8)) + sized(4032, 3024) + sized(320, 240))
    content = box(b"ftyp", brand + bytes(4) + b"mif1") + box(b"meta", bytes(4) + box(b"iprp", properties))
    head = read_head(content)
    assert head is not None
    assert (head.codec, head.width, head.height) == (codec, 4032, 3024)


def test_jpeg_2000_in_boxes_has_the_size_of_its_header() -> None:
    header = (200).to_bytes(4, "big") + (300).to_bytes(4, "big") + b"\0\3\7\7\0\0"
    head = read_head(box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 ") + box(b"jp2h", box(b"ihdr", header)))
    assert head is not None
    assert (head.codec, head.width, head.height, head.bits) == (Codec.JPEG_2000, 300, 200, 24)


@pytest.mark.parametrize("content", [b"", b"\xff", b"hello", b"\xff\xd8\xff\xd9", b"RIFF", bytes(100)])
def test_what_is_no_image_has_no_head(content: bytes) -> None:
    assert read_head(content) is None


def test_mutated_images_never_raise() -> None:
    for content in islice(mutations(24), 5_000):
        head = read_head(content)
        assert head is None or head.decoded_pixels >= 0
        for length in (2, 13, 20, 30):
            read_head(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8" + b"\xff\xfe\0\2" * 8_000_000,
        b"\xff\xd8" + b"\xff" * 32_000_000,
        b"GIF89a" + bytes(7) + b"!\xfe\0" * 10_000_000,
        b"P5\n" + b"#\n" * 16_000_000,
        b"P5\n" + b"#" * 32_000_000,
        b"II*\0\x08\0\0\0\xff\xff" + bytes(32_000_000),
        b"\0\0\0\x08ftyp" * 4_000_000,
        box(b"ftyp", b"heic") + box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", sized(1, 1) * 1_000_000))),
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10) + b"ANMF\0\0\0\0" * 4_000_000,
    ],
)
def test_floods_take_no_time(content: bytes) -> None:
    start = time.thread_time()
    read_head(content)
    assert time.thread_time() - start < 0.1
