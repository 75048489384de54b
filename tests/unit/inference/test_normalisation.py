"""Pixels become the same numbers whether an image is normalised alone or with its batch."""

import pytest
import torch

from inference.loaded_network import LoadedNetwork
from inference.network import ColorChannels, DataType, DimensionOrder
from inference.normalisation import BatchNormalisation, can_wait
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE
from inference.stacking import stacked
from tests.unit.inference.seeded_networks import CPU, SIZE, description

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def photos(count: int = 3, width: int = 64, height: int = 48) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("order", DimensionOrder)
@pytest.mark.parametrize("data_type", [DataType.FLOAT32, DataType.FLOAT16])
@pytest.mark.parametrize("values", [{}, IMAGENET, {"mean": [12.5, 3.0, 200.0], "pixel_scaling": 255.0}])
def test_batch_has_the_bits_of_its_images(
    order: DimensionOrder, data_type: DataType, values: dict[str, object]
) -> None:
    spec = description(dimension_order=order, data_type=data_type, **values).inputs[0]
    pixels = [prepare_image(photo, WHOLE_IMAGE, spec, as_pixels=True).tensor for photo in photos()]
    found = BatchNormalisation(spec, CPU)(stacked(pixels, CPU))
    expected = torch.stack([prepare_image(photo, WHOLE_IMAGE, spec).tensor for photo in photos()])
    assert {tensor.dtype for tensor in pixels} == {torch.uint8}
    assert found.is_contiguous()
    assert torch.equal(found, expected)


@pytest.mark.parametrize("channels", [ColorChannels.BGR, ColorChannels.L])
def test_channels_are_converted_before(channels: ColorChannels) -> None:
    spec = description(color_channels=channels).inputs[0]
    [photo] = photos(1)
    pixels = prepare_image(photo, WHOLE_IMAGE, spec, as_pixels=True).tensor
    found = BatchNormalisation(spec, CPU)(pixels[None])
    assert torch.equal(found[0], prepare_image(photo, WHOLE_IMAGE, spec).tensor)


def test_network_takes_pixels_and_numbers() -> None:
    described = description(**IMAGENET)
    network = LoadedNetwork(torch.nn.Identity(), described, CPU, weight_bytes=0)
    [photo] = photos(1)
    numbers = prepare_image(photo, WHOLE_IMAGE, described.inputs[0]).tensor
    pixels = prepare_image(photo, WHOLE_IMAGE, described.inputs[0], as_pixels=True).tensor
    assert torch.equal(network.run([(numbers,)])[0]["output"], numbers)
    assert torch.equal(network.run([(pixels,)])[0]["output"], numbers)
    assert torch.equal(network.normalised((pixels,))[0], numbers)


def test_bytes_and_mean_files_do_not_wait_for_the_batch() -> None:
    assert can_wait(description().inputs[0])
    assert not can_wait(description(data_type="UINT8").inputs[0])
    assert not can_wait(description(mean_file="mean.npy").inputs[0])


def test_pixels_that_wait_do_not_keep_the_whole_image() -> None:
    [photo] = photos(1, width=4 * SIZE, height=SIZE)
    spec = description(resize_type="CROP").inputs[0]
    pixels = prepare_image(photo, WHOLE_IMAGE, spec, as_pixels=True).tensor
    assert pixels.shape == (3, SIZE, SIZE)
    assert pixels.untyped_storage().nbytes() == 3 * SIZE * SIZE


@pytest.mark.parametrize("count", [1, 4])
def test_stacking_keeps_the_order_in_memory(count: int) -> None:
    tensors = [photo.permute(1, 2, 0).contiguous().permute(2, 0, 1) for photo in photos(count)]
    batch = stacked(tensors, CPU)
    assert torch.equal(batch, torch.stack(tensors))
    assert batch.stride()[1:] == tensors[0].stride()
