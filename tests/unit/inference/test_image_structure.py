"""Files without the structure that their pixels do not need decode to the same pixels; floods of it are refused."""

import io
import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from inference.errors import ImageError
from inference.image_files.structure import reduce
from inference.images import ImageLimits, decode_image
from tests.mutated_images import accepted_originals
from tests.unit.inference.image_writers import png_chunk

LIMITS = ImageLimits(max_bytes=32 * 2**20, max_pixels=100_000_000)
MEGABYTES = 30_000_000
MAX_SECONDS = 2.0  # of CPU; each took from five seconds to minutes


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (13, 7)) -> Image.Image:
    samples = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(samples).convert(mode)


def pillow_pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def long(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def tiff(entries: list[tuple[int, int, int, bytes]], width: int = 8, height: int = 8) -> bytes:
    """A gray TIFF with its directory first; each entry has a tag, a type, a count and a value."""
    size = [(256, 4, 1, long(width)), (257, 4, 1, long(height)), (258, 3, 1, b"\x08\0"), (259, 3, 1, b"\1\0")]
    entries = [*size, (262, 3, 1, b"\1\0"), *entries]
    after = 8 + 2 + 12 * len(entries) + 4
    directory, body = b"", b""
    for tag, kind, count, value in entries:
        stored = value.ljust(4, b"\0") if len(value) <= 4 else long(after + len(body))
        directory += struct.pack("<HHI", tag, kind, count) + stored
        body += value if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + body


STRIP = [(273, 4, 1, long(8)), (278, 4, 1, long(8)), (279, 4, 1, long(64))]


PNG, JPEG = encoded(noise(), "PNG"), encoded(noise(), "JPEG")
PROGRESSIVE = encoded(noise(), "JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE.rindex(b"\xff\xda")
WEBP = encoded(noise(), "WEBP", exif=b"Exif\0\0")
TABLES = b"\xff\xdb" + struct.pack(">H", 2 + 65 * 1008) + (b"\0" + b"\1" * 64) * 1008
COMMENTS = b"\xff\xfe\x00\xca" + b"\xff\xda" * 100 + b"\xff\xfe\0\2" * (MEGABYTES // 4)
FLOODS: dict[str, Callable[[], bytes]] = {
    "comment of a PNM": lambda: b"P6\n#" + b"x" * MEGABYTES + b"\n8 8\n255\n" + bytes(192),
    "comments of a PNM": lambda: b"P6\n" + b"#\n" * (MEGABYTES // 2) + b"8 8\n255\n" + bytes(192),
    "spaces of a PNM": lambda: b"P6\n" + b" " * MEGABYTES + b"8 8\n255\n" + bytes(192),
    "comments among samples": lambda: b"P3\n8 8\n255\n" + b"#\n" * (MEGABYTES // 2) + b"17 " * 192,
    "chunks of a WebP": lambda: riff(WEBP[8:] + b"ABCD\0\0\0\0" * (MEGABYTES // 8)),
    "strips of a TIFF": lambda: tiff([(273, 4, MEGABYTES // 4, long(8) * (MEGABYTES // 4)), *STRIP[1:]]),
    "strips over each other": lambda: tiff([(273, 4, 10_000, long(8) * 10_000), (278, 4, 1, long(7))]),
    "colours of a TIFF": lambda: tiff([*STRIP, (320, 3, MEGABYTES // 2, bytes(MEGABYTES))]),
    "meanings of samples": lambda: tiff([*STRIP, (339, 3, MEGABYTES // 2, b"\1\0" * (MEGABYTES // 2))]),
    "tags of a TIFF": lambda: tiff([*STRIP, *((1000 + tag, 1, 1, b"\0") for tag in range(60_000))]),
    "tables of a JPEG": lambda: JPEG[:2] + TABLES * (MEGABYTES // len(TABLES)) + JPEG[2:],
    "comments between scans": lambda: PROGRESSIVE[:LAST_SCAN] + COMMENTS + PROGRESSIVE[LAST_SCAN:],
    "chunks of a PNG": lambda: PNG[:33] + png_chunk(b"tEXt", b"") * 1_000_000 + PNG[33:],
}


def riff(content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(content)) + content


@pytest.mark.parametrize("name", FLOODS)
def test_floods_are_refused_at_once(name: str) -> None:
    data = FLOODS[name]()
    start = time.thread_time()
    with pytest.raises(ImageError, match=r"more than|over the limit|at most|no size in its first") as refusal:
        decode_image(data, LIMITS)
    assert time.thread_time() - start < MAX_SECONDS
    assert str(refusal.value).endswith(".")


def test_resolutions_of_megabytes_are_not_unpacked() -> None:
    strip = [(273, 4, 1, long(8)), *STRIP[1:]]
    data = tiff([*strip, (282, 5, MEGABYTES // 8, long(1) * (MEGABYTES // 4))])
    start = time.thread_time()
    assert decode_image(data, LIMITS).shape == (3, 8, 8)
    assert time.thread_time() - start < MAX_SECONDS


def test_long_rows_are_read_in_one_go() -> None:
    start = time.thread_time()
    assert decode_image(b"P5\n%d 1\n255\n" % MEGABYTES + bytes(MEGABYTES), LIMITS).shape == (3, 1, MEGABYTES)
    assert time.thread_time() - start < MAX_SECONDS


@pytest.mark.parametrize("data", accepted_originals())
def test_reduced_files_have_the_same_pixels(data: bytes) -> None:
    np.testing.assert_array_equal(pillow_pixels(reduce(data)), pillow_pixels(data))


ANY_MODE, COLOURS = ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"), ("L", "RGB", "CMYK")
COMPRESSIONS = {
    **dict.fromkeys(("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"), ANY_MODE),
    "jpeg": COLOURS,
    "group4": ("1",),
}


@pytest.mark.parametrize("big_tiff", [False, True])
@pytest.mark.parametrize(
    ("compression", "mode"), [(compression, mode) for compression, modes in COMPRESSIONS.items() for mode in modes]
)
def test_reduced_tiffs_have_the_same_pixels(compression: str, mode: str, big_tiff: bool) -> None:
    picture = noise("L", (300, 200)).convert("I;16") if mode == "I;16" else noise(mode, (300, 200))
    options = {
        "compression": compression,
        "big_tiff": big_tiff,
        "strip_size": 4096,
        "dpi": (72, 72),
        "software": "x" * 99,
    }
    data = encoded(picture, "TIFF", **options)
    before, after = (Image.open(io.BytesIO(each)) for each in (data, reduce(data)))
    assert before.mode == after.mode
    assert "software" not in str(dict(after.tag_v2))
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_either_byte_order_is_reduced(order: str) -> None:
    values = {256: 4, 257: 2, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 8, 305: 7}
    directory = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in values.items())
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 16) + bytes(range(8))
    pixels = decode_image(head + struct.pack(order + "H", len(values)) + directory + bytes(4), LIMITS)
    np.testing.assert_array_equal(pixels[0].numpy(), np.arange(8).reshape(2, 4))


@pytest.mark.parametrize("most", [1, 3, 127, 254, 255, 256, 1000, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_samples_of_any_range_get_the_values_that_pillow_gives_them(kind: int, most: int) -> None:
    samples = np.random.default_rng(most).integers(0, most + 1, 5 * 4 * (3 if kind in (3, 6) else 1))
    header = b"P%d\n5 4\n%d\n" % (kind, most)
    binary = samples.astype(np.uint8 if most < 256 else ">u2").tobytes()
    data = header + (binary if kind > 4 else b" ".join(b"%d" % sample for sample in samples))
    before, after = (Image.open(io.BytesIO(each)) for each in (data, reduce(data)))
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


def test_samples_beyond_the_largest_value_are_white_if_binary_and_refused_if_plain() -> None:
    assert decode_image(b"P5\n2 1\n100\n\xff\x32", LIMITS)[0].tolist() == [[255, 128]]
    with pytest.raises(ImageError, match="a sample of 101, beyond its largest value, 100"):
        decode_image(b"P2\n2 1\n100\n101 50", LIMITS)


def test_plain_numbers_are_read_across_blocks() -> None:
    samples = np.random.default_rng(3).integers(0, 256, 600 * 400)
    text = b"\n".join(b"%d" % sample for sample in samples)
    assert len(text) > 3 * 2**18
    pixels = decode_image(b"P2\n600 400\n255\n" + text, LIMITS)
    np.testing.assert_array_equal(pixels[0].numpy(), samples.reshape(400, 600))


@pytest.mark.parametrize(
    ("data", "grays"),
    [
        (b"P1\n# a comment\n3 2\n1 0 1\n# another\n010", [[0, 255, 0], [255, 0, 255]]),
        (b"P2\n#\n2 #\n1\r\n255\n7 #nine\n9\n", [[7, 9]]),
        (b"P5\r\n2 1\r255\n\x07\x09", [[7, 9]]),
        (b"P4 9 1\n\xff\x00", [[0] * 8 + [255]]),
    ],
)
def test_comments_and_spaces_of_a_pnm(data: bytes, grays: list[list[int]]) -> None:
    assert decode_image(data, LIMITS)[0].tolist() == grays


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"P2\n2 1\n255\n7", "truncated"),
        (b"P1\n2 1\n1", "truncated"),
        (b"P6\n2 1\n254\n12345", "truncated"),
        (b"P2\n2 1\n255\n7 -9", "other characters than digits"),
        (b"P1\n2 1\n12", "other characters than 0 and 1"),
        (b"P5\n0 1\n255\n", "begins like a PNM"),
        (b"P5\n2 1\n70000\n1234", "begins like a PNM"),
        (b"P5\n2 1\n255", "truncated"),
        (b"PyRGBA\n2 1\n255\n12345678", "begins like a PNM"),
    ],
)
def test_damaged_pnm_is_refused_by_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode_image(data, LIMITS)


def test_transparent_colour_of_a_gif_is_kept_and_the_rest_dropped() -> None:
    options = {"transparency": 3, "comment": b"x" * 5000, "loop": 0, "save_all": True}
    picture = Image.fromarray(np.arange(91, dtype=np.uint8).reshape(7, 13) % 7)
    data = encoded(picture.convert("P"), "GIF", **options, append_images=[picture.convert("P").rotate(90)])
    reduced = reduce(data)
    assert len(reduced) < len(data) - 5000
    before, after = (Image.open(io.BytesIO(each)) for each in (data, reduced))
    assert before.info["transparency"] == after.info["transparency"]
    np.testing.assert_array_equal(np.asarray(after.convert("RGBA")), np.asarray(before.convert("RGBA")))
