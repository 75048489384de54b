"""A prepared tensor is what a plain torchvision script makes of the image, bit for bit."""

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F  # noqa: N812 - the name that torchvision's own scripts use

from inference.errors import ImageError, NetworkError
from inference.network import ImageSpec
from inference.preprocess import prepare_image
from inference.regions import WHOLE_IMAGE, BBox, Region


def photo(width: int = 97, height: int = 61, *, channels_last: bool = True) -> torch.Tensor:
    generator = torch.Generator().manual_seed(width * height)
    pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    pixels = F.gaussian_blur(pixels, [5, 5])
    return pixels.permute(1, 2, 0).contiguous().permute(2, 0, 1) if channels_last else pixels


def spec(**image: Any) -> ImageSpec:
    defaults = {
        "dimension_order": "NCHW",
        "resize_type": "SQUASH",
        "target_size": "32x24",
        "color_channels": "RGB",
    }
    return ImageSpec.from_json({"tensor_name": "input", "image": {**defaults, **image}})


def prepared(image: torch.Tensor, **fields: Any) -> torch.Tensor:
    result = prepare_image(image, WHOLE_IMAGE, spec(**fields))
    assert result.tensor.is_contiguous()
    return result.tensor


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("target", ["32x24", "150x90", "97x61", "8x61"])
@pytest.mark.parametrize("interpolation", ["BILINEAR", "BICUBIC", "NEAREST"])
def test_squash_is_torchvisions_resize(interpolation: str, target: str, channels_last: bool) -> None:
    width, height = map(int, target.split("x"))
    image = photo(channels_last=channels_last)
    expected = F.resize(image, [height, width], InterpolationMode[interpolation], antialias=True).float()
    assert torch.equal(prepared(image, target_size=target, interpolation=interpolation), expected)


def test_resize_on_uint8_equals_the_native_kernel_called_directly() -> None:
    image = photo()
    direct = torch.nn.functional.interpolate(image[None], size=(24, 32), mode="bilinear", antialias=True)[0]
    assert torch.equal(prepared(image, data_type="UINT8"), direct)


@pytest.mark.parametrize("size", [(97, 61), (61, 97), (64, 64), (20, 300)])
def test_crop_is_resize_of_the_smallest_side_and_center_crop(size: tuple[int, int]) -> None:
    image = photo(*size)
    expected = F.center_crop(F.resize(image, [32], antialias=True), [32, 32]).float()
    assert torch.equal(prepared(image, resize_type="CROP", target_size="32"), expected)


@pytest.mark.parametrize("size", [(97, 61), (61, 97), (200, 20)])
def test_fill_is_resize_of_the_largest_side_on_white(size: tuple[int, int]) -> None:
    image = photo(*size)
    resized = F.resize(image, None, max_size=32, antialias=True)
    height, width = resized.shape[-2:]
    left, top = (32 - width) // 2, (32 - height) // 2
    expected = F.pad(resized, [left, top, 32 - width - left, 32 - height - top], fill=255).float()
    assert torch.equal(prepared(image, resize_type="FILL", target_size="32x32"), expected)


@pytest.mark.parametrize("target", ["32", "32x32"])
def test_network_is_resize_of_the_largest_side_alone(target: str) -> None:
    image = photo(61, 97)
    result = prepare_image(image, WHOLE_IMAGE, spec(resize_type="NETWORK", target_size=target))
    assert torch.equal(result.tensor, F.resize(image, None, max_size=32, antialias=True).float())
    assert (result.input_width, result.input_height) == (20, 32)


def test_pixels_are_0_to_255_by_default_and_scaled_if_asked() -> None:
    image = photo()
    unscaled = prepared(image)
    assert unscaled.max() > 150
    assert torch.equal(
        prepared(image, pixel_scaling=1.0), F.to_dtype(unscaled.to(torch.uint8), torch.float32, scale=True)
    )
    torch.testing.assert_close(prepared(image, pixel_scaling=2.0), unscaled / 127.5)


def test_mean_and_std_are_torchvisions_normalize() -> None:
    image, mean, std = photo(), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    scaled = F.to_dtype(F.resize(image, [24, 32], antialias=True), torch.float32, scale=True)
    expected = F.normalize(scaled, mean, std)
    assert torch.equal(prepared(image, pixel_scaling=1, mean=mean, std=std), expected)


@pytest.mark.parametrize("shape", [(24, 32, 3), (1, 1, 3), (3,), (24, 32, 1), ()])
def test_mean_file_is_broadcast_in_hwc_order(shape: tuple[int, ...]) -> None:
    mean = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    result = prepare_image(photo(), WHOLE_IMAGE, spec(mean_file="mean.npy"), torch.from_numpy(np.asarray(mean)))
    hwc = prepared(photo()).permute(1, 2, 0).numpy() - mean
    np.testing.assert_array_equal(result.tensor.permute(1, 2, 0).numpy(), hwc)


def test_mean_file_of_another_size_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"5x5x3 does not fit an input of 24x32x3"):
        prepare_image(photo(), WHOLE_IMAGE, spec(mean_file="mean.npy"), torch.zeros(5, 5, 3))


def test_bgr_is_the_other_way_round() -> None:
    assert torch.equal(prepared(photo(), color_channels="BGR"), prepared(photo()).flip(0))


def test_gray_is_torchvisions_luma() -> None:
    resized = F.resize(photo(), [24, 32], antialias=True)
    expected = F.rgb_to_grayscale(resized, num_output_channels=1).float()
    gray = prepared(photo(), color_channels="L", mean=[3.0])
    assert gray.shape == (1, 24, 32)
    assert torch.equal(gray, expected - 3.0)


@pytest.mark.parametrize(
    ("order", "einsum"), [("NCHW", "chw->chw"), ("NCWH", "chw->cwh"), ("NHWC", "chw->hwc"), ("NWHC", "chw->whc")]
)
@pytest.mark.parametrize("data_type", ["FLOAT32", "UINT8"])
def test_dimensions_are_in_the_order_of_the_network(order: str, einsum: str, data_type: str) -> None:
    chw = prepared(photo(), data_type=data_type)
    result = prepare_image(photo(), WHOLE_IMAGE, spec(dimension_order=order, data_type=data_type))
    assert torch.equal(result.tensor, torch.einsum(einsum, chw))
    assert result.tensor.is_contiguous()
    assert (result.input_width, result.input_height) == (32, 24)


def test_data_types() -> None:
    floats = prepared(photo(), pixel_scaling=1, mean=[0.5] * 3)
    half = prepared(photo(), pixel_scaling=1, mean=[0.5] * 3, data_type="FLOAT16")
    assert half.dtype == torch.float16
    assert torch.equal(half, floats.half())
    integers = prepared(photo(), data_type="UINT8")
    assert integers.dtype == torch.uint8
    assert torch.equal(integers.float(), prepared(photo()))
    shifted = prepared(photo(), data_type="UINT8", mean=[100.3] * 3)
    assert torch.equal(shifted, (prepared(photo()) - 100.3).round().clamp(0, 255).to(torch.uint8))


def test_the_image_itself_is_never_changed() -> None:
    image = photo(32, 24)  # already of the target size, so that nothing has to be copied
    before = image.clone()
    prepared(image, pixel_scaling=1, mean=[0.5] * 3, std=[0.1] * 3)
    prepared(image, data_type="UINT8")
    assert torch.equal(image, before)


def test_only_the_region_is_used() -> None:
    image = photo(100, 60)
    result = prepare_image(image, Region(bbox=BBox(0.25, 0.5, 0.75, 1.0)), spec())
    assert torch.equal(result.tensor, F.resize(image[:, 30:60, 25:75], [24, 32], antialias=True).float())


def test_a_line_of_pixels_is_refused_instead_of_blown_up() -> None:
    with pytest.raises(ImageError, match="elongated"):
        prepare_image(torch.zeros(3, 1, 200_000, dtype=torch.uint8), WHOLE_IMAGE, spec(resize_type="CROP"))


@pytest.mark.parametrize(
    "image",
    [
        {"resize_type": "STRETCH"},
        {"std": [1, 1]},
        {"std": [1, 0, 1]},
        {"mean": [1.0] * 3, "mean_file": "mean.npy"},
        {"pixel_scaling": "much"},
        {"target_size": "wide"},
        {"decoding": "FAST"},
    ],
)
def test_impossible_description_is_a_sentence(image: dict[str, Any]) -> None:
    with pytest.raises(NetworkError):
        spec(**image)


def test_empty_mean_file_means_none() -> None:
    assert spec(mean_file="").mean_file is None
