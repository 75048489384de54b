"""Drawn images have the size that was asked for, differ from each other, and are the same each time."""

from itertools import combinations

import pytest
import torch

from inference.evidence.scenes import drawn_images


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (97, 61), (640, 480)])
def test_images_of_any_size_are_drawn(width: int, height: int) -> None:
    for image in drawn_images(width, height):
        assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, height, width))


def test_images_differ_and_are_the_same_each_time() -> None:
    first, again = list(drawn_images(64, 48)), list(drawn_images(64, 48))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    for one, other in combinations(first, 2):
        assert (one.float() - other.float()).abs().mean() > 10
