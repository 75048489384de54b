"""Sizes and offsets are those of torchvision's own transforms, and the way back is exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from inference.geometry import Crop, Fit, Placement, fit_of
from inference.network import ResizeType, TargetSize

SIDES = st.integers(1, 2000)
TARGETS = st.integers(1, 300)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(width=st.integers(1, 300), height=st.integers(1, 300), target=st.integers(1, 64))
def test_crop_has_the_sizes_of_torchvisions_resize_and_center_crop(width: int, height: int, target: int) -> None:
    fit = fit_of(width, height, ResizeType.CROP, TargetSize(target, target))
    marked = torch.arange(fit.resized_width * fit.resized_height, dtype=torch.float32)
    marked = marked.reshape(1, fit.resized_height, fit.resized_width)
    resized = v2.functional.resize(torch.zeros(1, height, width), [target])
    assert resized.shape == marked.shape
    expected = v2.functional.center_crop(marked, [target, target])
    top, left = -fit.offset_y, -fit.offset_x
    assert torch.equal(marked[:, top : top + target, left : left + target], expected)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(width=SIDES, height=SIDES, target_width=TARGETS, target_height=TARGETS, kind=st.sampled_from(ResizeType))
def test_every_fit_keeps_its_promise(
    width: int, height: int, target_width: int, target_height: int, kind: ResizeType
) -> None:
    target = TargetSize(target_width, target_height)
    fit = fit_of(width, height, kind, target)
    resized = (fit.resized_width, fit.resized_height)
    assert min(resized) >= 1
    if kind is ResizeType.NETWORK:
        assert resized == (fit.canvas_width, fit.canvas_height)
    else:
        assert (fit.canvas_width, fit.canvas_height) == (target_width, target_height)
    if kind is ResizeType.SQUASH:
        assert resized == (target_width, target_height)
        return
    scale = (max if kind is ResizeType.CROP else min)(target_width / width, target_height / height)
    assert abs(resized[0] - width * scale) <= 1
    assert abs(resized[1] - height * scale) <= 1
    assert target_width == resized[0] or target_height == resized[1]
    if kind is ResizeType.CROP:
        assert resized[0] >= target_width
        assert resized[1] >= target_height
    else:
        assert resized[0] <= target_width
        assert resized[1] <= target_height


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ResizeType.SQUASH, Fit(100, 60, 100, 60, 0, 0)),
        (ResizeType.CROP, Fit(100, 75, 100, 60, 0, -8)),
        (ResizeType.FILL, Fit(80, 60, 100, 60, 10, 0)),
        (ResizeType.NETWORK, Fit(80, 60, 80, 60, 0, 0)),
    ],
)
def test_a_4_to_3_image_in_a_100x60_box(kind: ResizeType, expected: Fit) -> None:
    assert fit_of(640, 480, kind, TargetSize(100, 60)) == expected


def test_placement_of_a_padded_crop_maps_corners_exactly() -> None:
    # The right half of a 200x100 image, 100x100, lies as 60x60 in the middle of a 100x60 canvas.
    placement = Placement.of(Crop(100, 0, 100, 100), Fit(60, 60, 100, 60, 20, 0), 200, 100)
    corners = placement.to_image(torch.tensor([[0.2, 0.0, 0.8, 1.0], [0.5, 0.5, 0.5, 0.5]]))
    expected = torch.tensor([[0.5, 0.0, 1.0, 1.0], [0.75, 0.5, 0.75, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(corners, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("text", ["", "axb", "0", "10x0", "-3", "1x2x3", "1.5"])
def test_impossible_target_size_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="target size"):
        TargetSize.parse(text)


def test_target_size_of_one_number_is_a_square_box() -> None:
    assert TargetSize.parse("640") == TargetSize(640, 640)
    assert TargetSize.parse("320x240") == TargetSize(320, 240)
