"""Images that wait together are decoded together, and one that the device cannot decode stands in nobody's way.

The decoder is that of the CPU here, which is called in the same way; ``test_gpu.py`` has the GPU's.
"""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inference import device_decoding
from inference.device_decoding import DeviceDecoder, decodes_on_device
from inference.errors import ImageError
from inference.images import EncodedImage, ImageLimits, decode_image, open_image
from inference.network import Decoding
from inference.preprocess import Prepared, prepare_image
from inference.regions import WHOLE_IMAGE, BBox, Point, Region
from tests.unit.inference.seeded_networks import CPU, description

LIMITS = ImageLimits(10_000_000, 50_000_000)
SPEC = description(decoding="DEVICE").inputs[0]


def photo(width: int = 64, height: int = 48, mode: str = "RGB", image_format: str = "JPEG", **options: Any) -> bytes:
    noise = np.random.default_rng(width).integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def damaged() -> bytes:
    """Return a JPEG whose header is whole and whose decoder fails."""
    data = bytearray(photo())
    start = data.index(b"\xff\xc4") + 5  # the first Huffman table: more codes than there can be
    data[start : start + 16] = b"\xff" * 16
    return bytes(data)


@pytest.fixture
def decoder() -> Iterator[DeviceDecoder]:
    made = DeviceDecoder(CPU)
    yield made
    made.close()


def as_pixels(pixels: torch.Tensor) -> Prepared:
    return prepare_image(pixels, WHOLE_IMAGE, SPEC, as_pixels=True)


def test_images_that_wait_together_are_decoded_together(
    decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, decode = list[int](), device_decoding.decode_jpegs

    def counted(encoded: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
        counts.append(len(encoded))
        return decode(encoded, device)

    monkeypatch.setattr(device_decoding, "decode_jpegs", counted)
    photos = [photo(width) for width in range(40, 140)]
    with ThreadPoolExecutor(len(photos)) as pool:
        found = list(pool.map(lambda data: decoder.submit(open_image(data, LIMITS), as_pixels).result(), photos))
    assert sum(counts) == len(photos)
    assert max(counts) <= device_decoding.MOST_AT_ONCE
    for prepared, data in zip(found, photos, strict=True):
        assert prepared is not None
        assert torch.equal(prepared.tensor, as_pixels(decode_image(data, LIMITS)).tensor)


def test_what_the_device_cannot_decode_is_given_back_alone(decoder: DeviceDecoder) -> None:
    files = [photo(), damaged(), photo(80), damaged()]
    with pytest.raises(ImageError):
        decode_image(damaged(), LIMITS)
    with ThreadPoolExecutor(len(files)) as pool:
        found = list(pool.map(lambda data: decoder.submit(open_image(data, LIMITS), as_pixels).result(), files))
    assert [prepared is None for prepared in found] == [False, True, False, True]


def test_error_of_one_image_is_raised_for_that_one(decoder: DeviceDecoder) -> None:
    def refuse(_: torch.Tensor) -> Prepared:
        raise ImageError("The image is too elongated.")

    with pytest.raises(ImageError, match="elongated"):
        decoder.submit(open_image(photo(), LIMITS), refuse).result()
    assert decoder.submit(open_image(photo(), LIMITS), as_pixels).result() is not None


def test_large_images_are_not_all_decoded_at_once(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_decoding, "MOST_PIXELS_AT_ONCE", 64 * 48)
    pixels, decode = list[int](), device_decoding.decode_jpegs

    def counted(encoded: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
        pixels.append(len(encoded))
        return decode(encoded, device)

    monkeypatch.setattr(device_decoding, "decode_jpegs", counted)
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda _: decoder.submit(open_image(photo(), LIMITS), as_pixels).result(), range(5)))
    assert None not in found
    assert pixels == [1] * 5


def test_decoder_that_was_closed_gives_images_back() -> None:
    decoder = DeviceDecoder(CPU)
    decoder.close()
    assert decoder.submit(open_image(photo(), LIMITS), as_pixels).result() is None


def opened(**options: Any) -> EncodedImage:
    return open_image(photo(**options), LIMITS)


def test_only_plain_jpegs_of_networks_that_ask_for_it_are_decoded_on_the_device() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    assert decodes_on_device(opened(), WHOLE_IMAGE, SPEC)
    assert decodes_on_device(opened(), Region(bbox=BBox(0.1, 0.1, 0.5, 0.5)), SPEC)
    assert not decodes_on_device(opened(), WHOLE_IMAGE, replace(SPEC, decoding=Decoding.EXACT))
    assert not decodes_on_device(opened(), Region(polygon=(Point(0, 0), Point(1, 0), Point(0, 1))), SPEC)
    assert not decodes_on_device(opened(), Region(crop_uniform_background=True), SPEC)
    assert not decodes_on_device(opened(image_format="PNG"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(mode="L"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(mode="CMYK"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(exif=turned), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(keep_rgb=True), WHOLE_IMAGE, SPEC)
