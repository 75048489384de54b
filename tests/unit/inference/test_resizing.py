"""Images are resized as torchvision does, to the bit, also turned ones; thin ones within a gray level, in bounds."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from inference.errors import ImageError
from inference.image_files.orientation import turn
from inference.network import Interpolation
from inference.pixels import resizing
from inference.pixels.resizing import MAX_RESIZED_SIDE, begins_with_columns, bytes_to_resize, resize

MODES = {each: InterpolationMode(each.value.lower()) for each in Interpolation}
THIN = [(4000, 1), (4000, 3), (20_000, 2), (3000, 17), (3, 4000), (700, 500)]
TARGETS = [(224, 224), (64, 300), (299, 17)]


def noise(height: int, width: int) -> Tensor:
    """Pixels of full contrast, channels last as decoders give them."""
    values = torch.randint(
        0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(width)
    )
    return torch.where(values > 200, 255, values).permute(2, 0, 1)


def by_torchvision(pixels: Tensor, width: int, height: int, interpolation: Interpolation) -> Tensor:
    resized: Tensor = transforms.resize(pixels, [height, width], MODES[interpolation], antialias=True)
    return resized


@pytest.mark.parametrize("interpolation", Interpolation)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_of_every_orientation_are_those_of_torchvision(orientation: int, interpolation: Interpolation) -> None:
    for height, width in ((48, 64), (37, 51), (301, 200)):
        whole = turn(noise(height, width), orientation)
        for pixels in (whole, whole[:, 3:20, 5:30], whole.contiguous()):
            for target in ((224, 224), (7, 300), (width, height), (height, 50)):
                expected = by_torchvision(pixels, *target, interpolation)
                assert torch.equal(resize(pixels, *target, interpolation), expected)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_thin_images_are_those_of_torchvision_within_a_gray_level(
    orientation: int, target: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resizing, "MAX_INTERMEDIATE_BYTES", 0)
    orders = set()
    for height, width in THIN:
        pixels = turn(noise(height, width), orientation)
        expected = by_torchvision(pixels, *target, Interpolation.BILINEAR)
        found = resize(pixels, *target, Interpolation.BILINEAR)
        orders.add(begins_with_columns(pixels.shape[-1], pixels.shape[-2], *target, Interpolation.BILINEAR))
        assert (found.int() - expected.int()).abs().max() <= 1
    assert orders == {True, False}


def test_images_that_are_not_thin_keep_the_order_of_torchvision() -> None:
    for width, height, *target in ((10_000, 10_000, 16_384, 16_384), (100, 100_000, 224, 224), (100_000_000, 1, 8, 8)):
        if max(width, height) <= MAX_RESIZED_SIDE:
            assert not begins_with_columns(width, height, *target, Interpolation.BILINEAR)


def test_thin_images_are_refused_where_the_order_matters() -> None:
    with pytest.raises(
        ImageError, match="1x4000000 pixels, which is too elongated to be resized to 224x224 by BICUBIC"
    ):
        bytes_to_resize(1, 4_000_000, 224, 224, Interpolation.BICUBIC)


@pytest.mark.parametrize("size", [(1, MAX_RESIZED_SIDE + 1), (MAX_RESIZED_SIDE + 1, 1)])
def test_very_long_sides_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"sides of more than {MAX_RESIZED_SIDE} are not resized"):
        bytes_to_resize(*size, 224, 224, Interpolation.BILINEAR)
    assert bytes_to_resize(*size, 224, 224, Interpolation.NEAREST) == bytes_to_resize(
        1, 1, 224, 224, Interpolation.NEAREST
    )


PROGRAM = """
import torch
from inference.network import Interpolation
from inference.pixels.resizing import bytes_to_resize, resize

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

torch.set_num_threads(1)
for width, height in SIZES:
    pixels = torch.zeros((height, width, 3), dtype=torch.uint8).permute(2, 0, 1)
    resize(pixels[:, :8, :8], 4, 4, Interpolation.BILINEAR)
    before = memory("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
    resize(pixels, 224, 224, Interpolation.BILINEAR)
    print(memory("VmHWM") - before, bytes_to_resize(width, height, 224, 224, Interpolation.BILINEAR))
"""
SIZES = [(1, 4_000_000), (8_000_000, 1), (3000, 30_000)]


def test_resizing_takes_no_more_memory_than_it_says() -> None:
    command = [sys.executable, "-c", PROGRAM.replace("SIZES", repr(SIZES))]
    said_by_size = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for line in said_by_size:
        taken, said = map(int, line.split())
        assert taken < said + 10_000_000
        assert said < 300_000_000
    assert len(said_by_size) == len(SIZES)
