"""The right pixels are cut: boxes to the nearest edges, polygons by pixel centres, foregrounds from backgrounds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import ImageError
from inference.geometry import Crop
from inference.regions import WHOLE_IMAGE, BBox, Point, Region, cut


def numbered(width: int, height: int) -> torch.Tensor:
    return (torch.arange(3 * height * width) % 251).to(torch.uint8).reshape(3, height, width)


def is_inside(x: float, y: float, polygon: list[tuple[float, float]]) -> bool:
    """Even-odd rule by a ray to the left, one pixel at a time."""
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            inside = not inside
    return inside


def test_whole_image_is_not_copied() -> None:
    image = numbered(10, 8)
    pixels, crop = cut(image, WHOLE_IMAGE)
    assert pixels is image
    assert crop == Crop(0, 0, 10, 8)


def test_bbox_is_cut_at_pixel_edges_without_a_copy() -> None:
    image = numbered(10, 8)
    pixels, crop = cut(image, Region(bbox=BBox(0.2, 0.25, 0.7, 1.0)))
    assert crop == Crop(2, 2, 5, 6)
    assert torch.equal(pixels, image[:, 2:8, 2:7])
    assert pixels.data_ptr() == image[:, 2:, 2:].data_ptr()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    edges=st.tuples(*[st.floats(-0.5, 1.5)] * 2).filter(lambda pair: pair[0] < pair[1]),
    size=st.integers(1, 50),
)
def test_any_bbox_gives_a_pixel_at_least_and_stays_inside(edges: tuple[float, float], size: int) -> None:
    pixels, crop = cut(numbered(size, 5), Region(bbox=BBox(edges[0], 0, edges[1], 1)))
    assert pixels.shape == (3, 5, crop.width)
    assert 0 <= crop.left < crop.left + crop.width <= size


@pytest.mark.parametrize(
    "polygon",
    [
        [(0.1, 0.1), (0.9, 0.2), (0.5, 0.8)],
        [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)],
        [(0.21, 0.2), (0.83, 0.22), (0.2, 0.81), (0.8, 0.79)],
        [(0.5, 0.05), (0.62, 0.9), (0.05, 0.35), (0.95, 0.35), (0.38, 0.9)],
        [(-0.3, 0.5), (0.5, -0.3), (1.3, 0.5), (0.5, 1.3)],
    ],
)
def test_polygon_keeps_its_inside_and_whitens_the_rest(polygon: list[tuple[float, float]]) -> None:
    width, height = 31, 23
    image = numbered(width, height)
    pixels, crop = cut(image, Region(polygon=tuple(Point(x, y) for x, y in polygon)))
    expected = np.full((3, crop.height, crop.width), 255, np.uint8)
    for row in range(crop.height):
        for column in range(crop.width):
            x, y = crop.left + column, crop.top + row
            if is_inside((x + 0.5) / width, (y + 0.5) / height, polygon):
                expected[:, row, column] = image[:, y, x]
    np.testing.assert_array_equal(pixels.numpy(), expected)


def test_polygon_of_no_area_gives_white() -> None:
    pixels, crop = cut(numbered(10, 10), Region(polygon=(Point(0.5, 0.5),) * 3))
    assert (crop.width, crop.height) == (1, 1)
    assert (pixels == 255).all()


def test_polygon_of_very_many_points_is_refused() -> None:
    with pytest.raises(ImageError, match="more than 10000 points"):
        cut(numbered(10, 10), Region(polygon=(Point(0, 0), Point(1, 1)) * 5001))


def test_uniform_background_is_cut_away() -> None:
    image = torch.full((3, 60, 80), 230, dtype=torch.uint8)
    noise = torch.randint(-5, 6, image.shape, generator=torch.Generator().manual_seed(0))
    image = (image.to(torch.int16) + noise).to(torch.uint8)
    image[:, 20:35, 30:70] = torch.tensor([200, 30, 30], dtype=torch.uint8).view(3, 1, 1)
    pixels, crop = cut(image, Region(crop_uniform_background=True))
    assert crop == Crop(30, 20, 40, 15)
    assert pixels.shape == (3, 15, 40)


def test_background_inside_a_bbox_counts_from_the_image() -> None:
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    image[1, 25:30, 22:28] = 200
    _, crop = cut(image, Region(bbox=BBox(0.5, 0.5, 1, 1), crop_uniform_background=True))
    assert crop == Crop(22, 25, 6, 5)


def test_an_object_may_reach_the_border_of_its_background() -> None:
    image = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    image[:, 10:30, 20:] = 0
    assert cut(image, Region(crop_uniform_background=True))[1] == Crop(20, 10, 20, 20)


def test_image_without_uniform_background_or_of_one_colour_is_kept_whole() -> None:
    noise = torch.randint(0, 256, (3, 30, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert cut(noise, Region(crop_uniform_background=True))[1] == Crop(0, 0, 30, 30)
    assert cut(torch.zeros_like(noise), Region(crop_uniform_background=True))[1] == Crop(0, 0, 30, 30)


def test_region_is_read_from_an_input_of_the_api() -> None:
    assert Region.from_json({"source": {"url": "https://example.org"}}) == WHOLE_IMAGE
    bbox = {"xmin": 0, "ymin": 0.1, "xmax": 0.5, "ymax": 1}
    assert Region.from_json({"bbox": bbox, "crop_uniform_background": True}) == Region(
        bbox=BBox(0, 0.1, 0.5, 1), crop_uniform_background=True
    )
    points = [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 0, "y": 1}]
    assert Region.from_json({"polygon": points, "bbox": None}).polygon == (Point(0, 0), Point(1, 0), Point(0, 1))
