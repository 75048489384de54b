"""Images that wait together are decoded together, and one that the device cannot decode stands in nobody's way.

The decoder is that of the CPU here, which is called in the same way; ``test_gpu.py`` has the GPU's.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from PIL import Image

from inference import device_decoding
from inference.device_decoding import DeviceDecoder, decodes_on_device
from inference.errors import DeviceLostError, ImageError
from inference.images import EncodedImage, ImageLimits, decode_image, decode_jpegs, open_image
from inference.network import Decoding, ImageSpec, ResizeType, TargetSize
from inference.preprocess import Prepared, most_pixels_on_the_way, prepare_alike, prepare_image
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


def submitted(
    decoder: DeviceDecoder, data: bytes, region: Region = WHOLE_IMAGE, spec: ImageSpec = SPEC
) -> "Future[Prepared | None]":
    return decoder.submit(open_image(data, LIMITS), region, spec)


def prepared_on_cpu(data: bytes, region: Region = WHOLE_IMAGE, spec: ImageSpec = SPEC) -> Prepared:
    return prepare_image(decode_image(data, LIMITS), region, spec, as_pixels=True)


def assert_same(found: Prepared | None, expected: Prepared) -> None:
    assert found is not None
    assert torch.equal(found.tensor, expected.tensor)
    assert found.tensor.stride() == expected.tensor.stride()
    assert found.placement == expected.placement


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
    futures = [submitted(decoder, photos[0])]
    while not held.counts:
        time.sleep(0.001)
    assert decoder.busy_seconds() > 0
    futures += [submitted(decoder, data) for data in photos[1:]]
    held.go_on.set()
    found = [future.result(20) for future in futures]
    assert held.counts == [1, 64, 35]
    for prepared, data in zip(found, photos, strict=True):
        assert_same(prepared, prepared_on_cpu(data))


@pytest.mark.parametrize(
    ("most_pixels", "together"), [(1, 1), (3 * 64 * 49, 3), (device_decoding.MOST_PIXELS_RESIZED_AT_ONCE, 4)]
)
def test_images_that_are_alike_are_resized_together(
    decoder: DeviceDecoder, held: Held, monkeypatch: pytest.MonkeyPatch, most_pixels: int, together: int
) -> None:
    counts = list[int]()

    def counted(images: Sequence[torch.Tensor], region: Region, spec: ImageSpec) -> list[Prepared]:
        counts.append(len(images))
        return prepare_alike(images, region, spec)

    monkeypatch.setattr(device_decoding, "prepare_alike", counted)
    monkeypatch.setattr(device_decoding, "MOST_PIXELS_RESIZED_AT_ONCE", most_pixels)
    box = Region(bbox=BBox(0.1, 0.2, 0.7, 0.9))
    gray = description(decoding="DEVICE", color_channels="L", resize_type="FILL").inputs[0]
    orders: list[tuple[bytes, Region, ImageSpec]] = [
        (photo(64, 48 + other), region, spec)
        for other in (0, 1)
        for region in (WHOLE_IMAGE, box)
        for spec in (SPEC, gray)
        for _ in range(4)
    ]
    submitted(decoder, photo())
    while not held.counts:
        time.sleep(0.001)
    futures = [submitted(decoder, *order) for order in orders]
    held.go_on.set()
    for future, order in zip(futures, orders, strict=True):
        assert_same(future.result(20), prepared_on_cpu(*order))
    assert sum(counts) == 1 + len(orders)
    assert max(counts) == together


def test_few_images_at_once_are_made_much_larger() -> None:
    large = replace(SPEC, target_size=TargetSize(2000, 1000))
    assert most_pixels_on_the_way(64, 48, WHOLE_IMAGE, SPEC) == 64 * 48
    assert most_pixels_on_the_way(64, 48, WHOLE_IMAGE, large) == 2000 * 1000


def test_large_images_are_not_all_decoded_at_once(
    decoder: DeviceDecoder, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_decoding, "MOST_PIXELS_AT_ONCE", 2 * 64 * 48)
    futures = [submitted(decoder, photo())]
    while not held.counts:
        time.sleep(0.001)
    files = [photo(), photo(), photo(), photo(640, 480), photo()]
    futures += [submitted(decoder, data) for data in files]
    held.go_on.set()
    assert None not in [future.result(20) for future in futures]
    assert held.counts == [1, 2, 1, 1, 1]  # what is larger than all that may be is decoded alone


def test_what_the_device_cannot_decode_is_given_back_alone(decoder: DeviceDecoder) -> None:
    files = [photo(), damaged(photo()), photo(80), damaged(photo())]
    with pytest.raises(ImageError):
        decode_image(damaged(photo()), LIMITS)
    with ThreadPoolExecutor(len(files)) as pool:
        found = list(pool.map(lambda data: submitted(decoder, data).result(), files))
    assert [prepared is None for prepared in found] == [False, True, False, True]


def test_error_of_one_image_is_raised_for_that_one(decoder: DeviceDecoder) -> None:
    spec = replace(SPEC, resize_type=ResizeType.CROP, target_size=TargetSize(1200, 1200))
    refused = submitted(decoder, photo(), Region(bbox=BBox(0, 0, 1, 0.001)), spec)
    taken = submitted(decoder, photo(), WHOLE_IMAGE, spec)
    with pytest.raises(ImageError, match="elongated"):
        refused.result(20)
    assert taken.result(20) is not None


def test_whoever_waits_hears_of_whatever_goes_wrong(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[torch.Tensor]:
        raise MemoryError("There is no memory left.")

    with monkeypatch.context() as patched:
        patched.setattr(device_decoding, "decode_jpegs", broken)
        with pytest.raises(MemoryError):
            submitted(decoder, photo()).result(20)
    assert submitted(decoder, photo()).result(20) is not None


def test_lost_device_is_told_as_such(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> list[torch.Tensor]:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    for step in ("prepare_alike", "decode_jpegs"):
        monkeypatch.setattr(device_decoding, step, lost)
        with pytest.raises(DeviceLostError):
            submitted(decoder, photo()).result(20)


def test_image_that_the_device_cannot_resize_is_given_back(
    decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> list[Prepared]:
        raise RuntimeError("Too much shared memory required")

    monkeypatch.setattr(device_decoding, "prepare_alike", too_much)
    assert submitted(decoder, photo()).result(20) is None


def test_decoder_that_was_closed_gives_images_back() -> None:
    decoder = DeviceDecoder(CPU)
    decoder.close()
    assert submitted(decoder, photo()).result() is None


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
