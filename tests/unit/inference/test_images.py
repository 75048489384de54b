"""Bytes become the pixels that a viewer would show, whatever the format; bad files become one sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from inference import images
from inference.errors import ImageError
from inference.image_files.formats import FORMATS
from inference.images import ImageLimits, decode_image
from tests.mutated_images import HEADS, SIDE, image_of

LIMITS = ImageLimits(max_bytes=1_000_000, max_pixels=1_000_000)


def picture(width: int = 40, height: int = 24, channels: int = 3) -> np.ndarray:
    """A smooth picture without symmetry, so that every turn of it differs."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // width, y * 255 // height, (x + 2 * y) * 255 // (width + 2 * height), 255 - x * 200 // width]
    return np.stack(planes[:channels], axis=-1).astype(np.uint8).squeeze()


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray:
    pixels = decode_image(data, LIMITS)
    assert pixels.dtype == torch.uint8
    assert pixels.device.type == "cpu"
    return pixels.permute(1, 2, 0).numpy()


def png_of_16_bits(values: np.ndarray) -> bytes:
    """Pillow writes no 16-bit colour, so this is a minimal PNG writer (8-byte signature, IHDR, IDAT, IEND)."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}, {"quality": 30}])
def test_jpeg_decodes_to_the_pixels_that_pillow_gives(options: dict[str, object]) -> None:
    data = encoded(Image.fromarray(picture()), "JPEG", **options)
    np.testing.assert_array_equal(decoded(data), np.asarray(Image.open(io.BytesIO(data))))


def test_jpeg_decodes_to_the_same_pixels_without_torchvisions_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture()), "JPEG", exif=exif)
    fast = decoded(data)
    monkeypatch.setattr(images, "decode_jpeg", None)
    np.testing.assert_array_equal(decoded(data), fast)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_that_went_in(image_format: str) -> None:
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(picture()), image_format)), picture())


def test_webp_gives_the_pixels_that_went_in() -> None:
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(picture()), "WEBP", lossless=True)), picture())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
def test_gray_becomes_three_equal_channels(image_format: str) -> None:
    pixels = decoded(encoded(Image.fromarray(picture(channels=1)), image_format))
    assert pixels.shape == (24, 40, 3)
    assert (pixels == pixels[..., :1]).all()
    assert np.abs(pixels[..., 0].astype(int) - picture(channels=1)).max() <= 2


def test_black_and_white_becomes_black_and_white() -> None:
    bits = picture(channels=1) > 128
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(bits), "PNG"))[..., 1], bits * 255)


def test_cmyk_jpeg_has_the_colours_that_it_was_made_from() -> None:
    original = Image.fromarray(picture())
    pixels = decoded(encoded(original.convert("CMYK"), "JPEG", quality=100, subsampling=0))  # Pillow writes Adobe's
    assert np.abs(pixels.astype(int) - picture()).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_in_every_format_that_has_it(image_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(picture()), image_format, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert upright.size == ((40, 24) if orientation < 5 else (24, 40))
    np.testing.assert_array_equal(decoded(data), np.asarray(upright))


def test_damaged_exif_does_not_cost_the_image() -> None:
    data = encoded(Image.fromarray(picture()), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xfe" * 20)
    assert decoded(data).shape == (24, 40, 3)
    data = encoded(Image.fromarray(picture()), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xfe" * 20)
    np.testing.assert_array_equal(decoded(data), picture())


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_composed_on_white(image_format: str) -> None:
    rgba = picture(channels=4)
    options = {"lossless": True, "exact": True} if image_format == "WEBP" else {}
    alpha = rgba[..., 3:].astype(float) / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    pixels = decoded(encoded(Image.fromarray(rgba, "RGBA"), image_format, **options))
    assert np.abs(pixels - expected).max() <= 1


def test_gray_with_transparency_is_composed_on_white() -> None:
    gray_alpha = Image.merge("LA", [Image.fromarray(picture(channels=1)), Image.new("L", (40, 24), 51)])
    expected = picture(channels=1) * 0.2 + 255 * 0.8
    assert np.abs(decoded(encoded(gray_alpha, "PNG"))[..., 2] - expected).max() <= 1


def test_transparent_palette_colours_become_white() -> None:
    palette = Image.fromarray(picture(channels=1) // 128, "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    pixels = decoded(encoded(palette, "PNG", transparency=0))
    first = picture(channels=1) // 128 == 0
    assert (pixels[first] == 255).all()
    assert (pixels[~first] == [40, 50, 60]).all()


def test_opaque_palette_keeps_its_colours() -> None:
    palette = Image.fromarray(picture(channels=1) // 128, "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert (decoded(encoded(palette, "GIF"))[0, 0] == [10, 20, 30]).all()


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_is_scaled_to_8_bits(image_format: str) -> None:
    values = np.linspace(0, 65535, 40 * 24).reshape(24, 40).astype(np.uint16)
    pixels = decoded(encoded(Image.fromarray(values), image_format))
    np.testing.assert_array_equal(pixels[..., 0], np.rint(values / 257).astype(np.uint8))


def test_16_bit_colour_is_scaled_to_8_bits() -> None:
    values = picture().astype(np.uint16) * 257
    assert np.abs(decoded(png_of_16_bits(values)).astype(int) - picture()).max() <= 1


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animation_gives_its_first_frame(image_format: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    assert (decoded(data) == [255, 0, 0]).all()


def test_floating_point_pixels_are_refused() -> None:
    data = encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    with pytest.raises(ImageError, match="floating-point"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize(
    ("image_format", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("GIF", {}), ("BMP", {}), ("TIFF", {})],
)
def test_truncated_image_is_refused(image_format: str, options: dict[str, object], part: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    data = encoded(noise, image_format, **options)
    cut = data[: min(int(len(data) * part), len(data) - 24)]  # into the pixels: a PNG ends with a chunk of 12 bytes
    if image_format == "TIFF":  # its directory is at the end: without it, nothing is known of the image
        cut = cut[: len(data) // 2]
    with pytest.raises(ImageError):
        decode_image(cut, LIMITS)


def test_jpeg_cut_after_its_thumbnail_is_called_truncated() -> None:
    thumbnail = encoded(Image.new("RGB", (8, 8)), "JPEG")
    data = encoded(Image.fromarray(picture(200, 200)), "JPEG", comment=thumbnail)
    assert data.count(b"\xff\xd9") == 2
    with pytest.raises(ImageError, match=r"^The image is truncated\.$"):
        decode_image(data[:-2], LIMITS)


def test_bytes_after_the_end_of_a_jpeg_do_not_matter() -> None:
    data = encoded(Image.fromarray(picture()), "JPEG")
    np.testing.assert_array_equal(decoded(data + b"\0" * 100), decoded(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"II*\0",
    ],
)
def test_what_is_no_image_is_called_so(data: bytes) -> None:
    with pytest.raises(ImageError, match="supported are JPEG"):
        decode_image(data, LIMITS)


Image.init()


@pytest.mark.parametrize("name", sorted(set(Image.OPEN) - set(FORMATS)))
def test_format_that_is_not_on_the_list_is_refused_although_pillow_reads_it(name: str) -> None:
    data = image_of(name)
    if name in HEADS:
        _, accepts = Image.OPEN[name]
        assert accepts is None or accepts(data[:16])
    else:
        assert Image.open(io.BytesIO(data), formats=[name]).width >= SIDE
    with pytest.raises(ImageError, match="not an image that can be read"):
        decode_image(data, LIMITS)


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    huge = bytearray(encoded(Image.new("RGB", (8, 8)), "PNG"))
    huge[16:24] = struct.pack(">II", 30_000, 30_000)
    huge[29:33] = struct.pack(">I", zlib.crc32(bytes(huge[12:29])))
    with pytest.raises(ImageError, match="30000x30000 pixels"):
        decode_image(bytes(huge), LIMITS)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageError, match="over the limit of 10"):
        decode_image(b"x" * 11, ImageLimits(max_bytes=10, max_pixels=100))


def test_an_image_at_the_pixel_limit_is_accepted() -> None:
    data = encoded(Image.new("RGB", (10, 10)), "PNG")
    assert decode_image(data, ImageLimits(max_bytes=1000, max_pixels=100)).shape == (3, 10, 10)


SEEDS = [
    encoded(Image.fromarray(picture(16, 12)), image_format)
    for image_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8))
def test_damaged_files_give_pixels_or_a_sentence_and_nothing_else(
    seed: bytes, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(seed)
    for where, value in changes:
        data[int(where * len(data))] = value
    sentence = None
    try:
        pixels = decode_image(bytes(data), LIMITS)
    except ImageError as error:
        sentence = str(error)
    if sentence is None:
        assert pixels.shape[0] == 3
    else:
        assert sentence.endswith(".")
        assert "/" not in sentence
