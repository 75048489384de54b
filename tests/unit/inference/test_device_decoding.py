"""Images that wait together are decoded together, and one that the device cannot decode stands in nobody's way.

The decoder is that of the CPU here, which is called in the same way; ``test_gpu.py`` has the GPU's.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from PIL import Image

from inference import device_decoding
from inference.device_decoding import DeviceDecoder, decodes_on_device
from inference.errors import DeviceLostError, ImageError
from inference.images import EncodedImage, ImageLimits, decode_image, decode_jpegs, open_image
from inference.network import Decoding
from inference.preprocess import Prepared, prepare_image
from inference.regions import WHOLE_IMAGE, BBox, Point, Region
from tests.unit.inference.jpegs import damaged, photo
from tests.unit.inference.seeded_networks import CPU, description

LIMITS = ImageLimits(10_000_000, 50_000_000)
SPEC = description(decoding="DEVICE").inputs[0]


@pytest.fixture
def decoder() -> Iterator[DeviceDecoder]:
    made = DeviceDecoder(CPU)
    yield made
    made.close()


def as_pixels(pixels: torch.Tensor) -> Prepared:
    return prepare_image(pixels, WHOLE_IMAGE, SPEC, as_pixels=True)


@dataclass
class Held:
    """Decodes when it is let to, and remembers how many files it was given each time."""

    go_on: threading.Event = field(default_factory=threading.Event)
    counts: list[int] = field(default_factory=list)

    def decode(self, encoded: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
        self.counts.append(len(encoded))
        assert self.go_on.wait(20)
        return decode_jpegs(encoded, device)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    made = Held()
    monkeypatch.setattr(device_decoding, "decode_jpegs", made.decode)
    return made


def test_images_that_wait_together_are_decoded_together(decoder: DeviceDecoder, held: Held) -> None:
    photos = [photo(width) for width in range(40, 140)]
    futures = [decoder.submit(open_image(photos[0], LIMITS), as_pixels)]
    while not held.counts:
        time.sleep(0.001)
    assert decoder.busy_seconds() > 0
    futures += [decoder.submit(open_image(data, LIMITS), as_pixels) for data in photos[1:]]
    held.go_on.set()
    found = [future.result(20) for future in futures]
    assert held.counts == [1, 64, 35]
    for prepared, data in zip(found, photos, strict=True):
        assert prepared is not None
        assert torch.equal(prepared.tensor, as_pixels(decode_image(data, LIMITS)).tensor)


def test_large_images_are_not_all_decoded_at_once(
    decoder: DeviceDecoder, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_decoding, "MOST_PIXELS_AT_ONCE", 2 * 64 * 48)
    futures = [decoder.submit(open_image(photo(), LIMITS), as_pixels)]
    while not held.counts:
        time.sleep(0.001)
    files = [photo(), photo(), photo(), photo(640, 480), photo()]
    futures += [decoder.submit(open_image(data, LIMITS), as_pixels) for data in files]
    held.go_on.set()
    assert None not in [future.result(20) for future in futures]
    assert held.counts == [1, 2, 1, 1, 1]  # what is larger than all that may be is decoded alone


def test_what_the_device_cannot_decode_is_given_back_alone(decoder: DeviceDecoder) -> None:
    files = [photo(), damaged(photo()), photo(80), damaged(photo())]
    with pytest.raises(ImageError):
        decode_image(damaged(photo()), LIMITS)
    with ThreadPoolExecutor(len(files)) as pool:
        found = list(pool.map(lambda data: decoder.submit(open_image(data, LIMITS), as_pixels).result(), files))
    assert [prepared is None for prepared in found] == [False, True, False, True]


def test_error_of_one_image_is_raised_for_that_one(decoder: DeviceDecoder) -> None:
    def refuse(_: torch.Tensor) -> Prepared:
        raise ImageError("The image is too elongated.")

    with pytest.raises(ImageError, match="elongated"):
        decoder.submit(open_image(photo(), LIMITS), refuse).result()
    assert decoder.submit(open_image(photo(), LIMITS), as_pixels).result() is not None


def test_whoever_waits_hears_of_whatever_goes_wrong(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[torch.Tensor]:
        raise MemoryError("There is no memory left.")

    with monkeypatch.context() as patched:
        patched.setattr(device_decoding, "decode_jpegs", broken)
        with pytest.raises(MemoryError):
            decoder.submit(open_image(photo(), LIMITS), as_pixels).result(20)
    assert decoder.submit(open_image(photo(), LIMITS), as_pixels).result(20) is not None


def test_lost_device_is_told_as_such(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> list[torch.Tensor]:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def lost_later(_: torch.Tensor) -> Prepared:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(DeviceLostError):
        decoder.submit(open_image(photo(), LIMITS), lost_later).result(20)
    monkeypatch.setattr(device_decoding, "decode_jpegs", lost)
    with pytest.raises(DeviceLostError):
        decoder.submit(open_image(photo(), LIMITS), as_pixels).result(20)


def test_image_that_the_device_cannot_resize_is_given_back(decoder: DeviceDecoder) -> None:
    def too_much(_: torch.Tensor) -> Prepared:
        raise RuntimeError("Too much shared memory required")

    assert decoder.submit(open_image(photo(), LIMITS), too_much).result(20) is None


def test_decoder_that_was_closed_gives_images_back() -> None:
    decoder = DeviceDecoder(CPU)
    decoder.close()
    assert decoder.submit(open_image(photo(), LIMITS), as_pixels).result() is None


def opened(**options: Any) -> EncodedImage:
    return open_image(photo(**options), LIMITS)


def test_only_plain_jpegs_of_networks_that_ask_for_it_are_decoded_on_the_device() -> None:
    turned, other = Image.Exif(), Image.new("RGB", (64, 48))
    turned[0x0112] = 6
    assert decodes_on_device(opened(), WHOLE_IMAGE, SPEC)
    assert decodes_on_device(opened(), Region(bbox=BBox(0.1, 0.1, 0.5, 0.5)), SPEC)
    assert not decodes_on_device(opened(), WHOLE_IMAGE, replace(SPEC, decoding=Decoding.EXACT))
    assert not decodes_on_device(opened(), Region(polygon=(Point(0, 0), Point(1, 0), Point(0, 1))), SPEC)
    assert not decodes_on_device(opened(), Region(crop_uniform_background=True), SPEC)
    assert not decodes_on_device(opened(image_format="PNG"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(image_format="MPO", save_all=True, append_images=[other]), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(mode="L"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(mode="CMYK"), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(exif=turned), WHOLE_IMAGE, SPEC)
    assert not decodes_on_device(opened(keep_rgb=True), WHOLE_IMAGE, SPEC)
