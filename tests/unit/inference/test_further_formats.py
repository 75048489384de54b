"""HEIC and AVIF give the pixels that were written: turned once, on white, of any depth, in tiles or in a sequence."""

import io
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from inference.errors import ImageError
from inference.image_files.orientation import ORIENTATION_TAG
from inference.images import ImageLimits, decode_image

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
LOSSLESS = {"HEIF": {"quality": -1, "chroma": 444}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
NAMES = tuple(LOSSLESS)
ROUNDING = 4  # of a conversion to YCbCr and back


def picture(width: int = 96, height: int = 64) -> Image.Image:
    """An image that looks different from each side."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) % 64 * 2], -1).astype(np.uint8))


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **LOSSLESS[name], **options)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    return decode_image(data, LIMITS).permute(1, 2, 0).numpy().astype(int)


def difference(data: bytes, expected: Image.Image) -> int:
    found = decoded(data)
    assert found.shape == (expected.height, expected.width, 3)
    return int(np.abs(found - np.asarray(expected.convert("RGB"))).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_that_were_written(name: str, mode: str) -> None:
    image = picture().convert(mode)
    assert difference(encoded(image, name), image) <= ROUNDING


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_once_although_exif_and_container_both_say_so(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = encoded(picture(), name, exif=exif.tobytes())
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's transpositions
    expected = picture() if orientation == 1 else picture().transpose(Image.Transpose(turned[orientation]))
    assert difference(data, expected) <= ROUNDING


@pytest.mark.parametrize("name", NAMES)
def test_what_is_transparent_is_on_white(name: str) -> None:
    image = picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    expected = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    assert difference(encoded(image, name), expected) <= ROUNDING


@pytest.mark.parametrize("twelve_bits", [False, True])
def test_more_bits_than_eight_have_the_same_black_and_white(twelve_bits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", twelve_bits)
    samples = np.asarray(picture()).astype(np.uint16) * 257
    stream = io.BytesIO()
    pillow_heif.encode("RGB;16", (96, 64), samples.tobytes(), stream, quality=-1, chroma=444)
    assert b"pixi\0\0\0\0\3" + bytes([12 if twelve_bits else 10] * 3) in stream.getvalue()
    assert difference(stream.getvalue(), picture()) <= ROUNDING


def test_an_image_in_tiles_is_put_together() -> None:
    image = picture(300, 200)
    data = encoded(image, "HEIF", tile_size=64)
    assert b"grid" in data
    assert difference(data, image) <= ROUNDING


@pytest.mark.parametrize("name", NAMES)
def test_of_several_images_the_first_is_taken(name: str) -> None:
    others = [Image.new("RGB", (96, 64), "red")] * 2
    assert difference(encoded(picture(), name, save_all=True, append_images=others), picture()) <= ROUNDING


@pytest.mark.parametrize("name", NAMES)
def test_too_many_pixels_are_refused_from_the_header(name: str) -> None:
    data = encoded(Image.new("RGB", (1100, 1000)), name)
    with pytest.raises(ImageError, match="The image has 1100x1000 pixels, which is over the limit of 1000000"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize("stated", [16, 90, 960])
def test_a_container_that_states_another_size_than_its_stream_is_refused_or_obeyed(stated: int) -> None:
    """libavif resizes the image to the size that is stated, as browsers do."""
    size = b"ispe\0\0\0\0" + (96).to_bytes(4, "big")
    files = {name: encoded(picture(), name) for name in NAMES}
    other = {name: data.replace(size, size[:8] + stated.to_bytes(4, "big")) for name, data in files.items()}
    assert all(other[name] != files[name] for name in NAMES)
    with pytest.raises(ImageError):
        decode_image(other["HEIF"], LIMITS)
    assert decode_image(other["AVIF"], LIMITS).shape == (3, 64, stated)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_that_is_cut_off_is_refused(name: str) -> None:
    data = encoded(picture(), name)
    for end in (40, len(data) // 2, len(data) - 20):
        with pytest.raises(ImageError):
            decode_image(data[:end], LIMITS)
