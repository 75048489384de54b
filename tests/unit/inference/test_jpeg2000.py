"""JPEG 2000 gives the pixels that were written, or a sentence where its samples could mean something else."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inference.errors import ImageError
from inference.image_files.jpeg2000 import CODESTREAM, MAX_TILES
from inference.images import ImageLimits, decode_image

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
COMPONENTS_AT = len(CODESTREAM) + 38  # of a codestream: three bytes each


def picture() -> Image.Image:
    y, x = np.mgrid[0:48, 0:80]
    return Image.fromarray(np.stack([x * 3, y * 5, (x + y) * 2 % 256], -1).astype(np.uint8))


def encoded(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG2000", **options)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    return decode_image(data, LIMITS).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"tile_size": (32, 16)}, {"num_resolutions": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_pixels_are_those_that_were_written(mode: str, options: dict[str, Any]) -> None:
    image = picture().convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    white = Image.new("RGBA", image.size, "white")
    expected = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    np.testing.assert_array_equal(decoded(encoded(image, **options)), np.asarray(expected))


@pytest.mark.parametrize("bits", [9, 12, 16])
def test_gray_of_more_bits_has_the_same_black_and_white(bits: int) -> None:
    levels = np.linspace(0, (1 << bits) - 1, 64).round().astype(np.uint16)
    data = bytearray(encoded(Image.fromarray(np.tile(levels << (16 - bits), (8, 1)))))
    found = decoded(bytes(data))[0, :, 0].astype(int)
    assert (found[0], found[-1]) == (0, 255)
    assert np.abs(found - np.linspace(0, 255, 64)).max() <= 1


def changed(at: int, value: int, **options: Any) -> bytes:
    """A codestream of three components with one byte changed; the first component's depth is at 0."""
    data = bytearray(encoded(picture(), no_jp2=True, **options))
    data[COMPONENTS_AT + at] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, 11, "12 bits, 8 bits, 8 bits"),
        (3, 0x87, "8 bits, 8 signed bits, 8 bits"),
        (4, 2, "8 bits, 8 bits of every 2x1 pixels, 8 bits"),
    ],
)
def test_samples_of_another_kind_are_refused(at: int, value: int, said: str) -> None:
    with pytest.raises(ImageError, match=said.replace("(", r"\(")):
        decode_image(changed(at, value), LIMITS)


def test_gray_of_less_than_eight_bits_is_refused() -> None:
    data = bytearray(encoded(picture().convert("L"), no_jp2=True))
    data[COMPONENTS_AT] = 3
    with pytest.raises(ImageError, match="samples that are not supported \\(4 bits\\)"):
        decode_image(bytes(data), LIMITS)


def test_an_unknown_colour_space_is_refused() -> None:
    data = encoded(picture())
    srgb = b"colr\1\0\0" + struct.pack(">I", 16)
    assert srgb in data
    with pytest.raises(ImageError, match="has the colour space 14, which is not supported"):
        decode_image(data.replace(srgb, b"colr\1\0\0" + struct.pack(">I", 14)), LIMITS)


def test_header_and_codestream_that_state_different_sizes_are_refused() -> None:
    data = encoded(picture())
    ihdr = b"ihdr" + struct.pack(">II", 48, 80)
    assert ihdr in data
    with pytest.raises(ImageError, match="do not agree"):
        decode_image(data.replace(ihdr, b"ihdr" + struct.pack(">II", 48, 8)), LIMITS)


def test_very_many_tiles_are_refused() -> None:
    data = bytearray(encoded(picture(), no_jp2=True))
    struct.pack_into(">II", data, len(CODESTREAM) + 20, 1, 1)
    assert MAX_TILES > 48 * 80
    struct.pack_into(">II", data, len(CODESTREAM) + 4, 1000, 900)
    with pytest.raises(ImageError, match="has 900000 tiles, over the limit of 4096"):
        decode_image(bytes(data), LIMITS)


def test_too_many_pixels_are_refused_from_the_header() -> None:
    data = encoded(Image.new("L", (1001, 1000)))
    with pytest.raises(ImageError, match="The image has 1001x1000 pixels, which is over the limit"):
        decode_image(data, LIMITS)
