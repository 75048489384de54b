"""Large JPEGs are decoded at a fraction of their size for networks that allow it: the same places, nearly the same."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inference.errors import ImageError
from inference.images import ImageLimits, open_image
from inference.network import Decoding, ImageSpec
from inference.preprocess import Prepared, prepare_image
from inference.reduction import Reduction, reduce_for
from inference.regions import WHOLE_IMAGE, BBox, Point, Region

LIMITS = ImageLimits(max_bytes=10**7, max_pixels=10**7)
ORIENTATION = 0x0112
LARGEST_DIFFERENCE = 45  # of 255, as docs/api.md says


def spec(**image: Any) -> ImageSpec:
    defaults = {
        "dimension_order": "NCHW",
        "resize_type": "CROP",
        "target_size": "40x30",
        "color_channels": "RGB",
        "decoding": "SCALED",
    }
    return ImageSpec.from_json({"tensor_name": "input", "image": {**defaults, **image}})


def jpeg(image: Image.Image, orientation: int = 1, image_format: str = "JPEG", **options: Any) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(stream, image_format, exif=exif, **{"quality": 95, **options})
    return stream.getvalue()


def prepared(data: bytes, region: Region, wanted: ImageSpec) -> tuple[Prepared, Reduction | None]:
    image = open_image(data, LIMITS)
    reduction = reduce_for(image, region, wanted)
    return prepare_image(image.decode(), region, wanted, reduction=reduction), reduction


def waves(width: int, height: int, period: float) -> Image.Image:
    """Bent waves as wide as some pixels of the input: what is shifted by a small part of one shows at once."""
    y, x = np.mgrid[0:height, 0:width] * (2 * np.pi / period)
    planes = [np.sin(x + 0.3 * np.sin(y / 3)), np.sin(y + 0.5 * x), np.sin(x - y + 1)]
    return Image.fromarray(np.rint(127.5 + 100 * np.stack(planes, axis=-1)).astype(np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "fields", "factor"),
    [
        (4000, 3000, {"target_size": "224"}, 8),
        (4000, 3000, {"target_size": "224", "resize_type": "SQUASH"}, 8),
        (4000, 3000, {"target_size": "640", "resize_type": "FILL"}, 4),
        (3000, 4000, {"target_size": "640", "resize_type": "NETWORK"}, 4),
        (1920, 1080, {"target_size": "224"}, None),
        (640, 480, {"target_size": "224"}, None),
        (480, 360, {}, 8),
        (479, 360, {"resize_type": "SQUASH"}, 4),
        (240, 180, {}, 4),
        (240, 179, {}, None),
        (480, 360, {"interpolation": "NEAREST"}, None),
        (480, 360, {"interpolation": "BICUBIC"}, 8),
        (480, 360, {"decoding": "EXACT"}, None),
    ],
)
def test_factor_leaves_one_and_a_half_times_the_resized_image(
    width: int, height: int, fields: dict[str, Any], factor: int | None
) -> None:
    limits = replace(LIMITS, max_pixels=12_000_000)
    image = open_image(jpeg(Image.new("RGB", (width, height))), limits)
    reduction = reduce_for(image, WHOLE_IMAGE, spec(**fields))
    assert (reduction and reduction.factor) == factor
    rows, columns = (-(-height // factor), -(-width // factor)) if factor else (height, width)
    assert image.decode().shape == (3, rows, columns)


@pytest.mark.parametrize(
    ("region", "factor"),
    [
        (Region(bbox=BBox(0, 0, 1, 1)), 8),
        (Region(bbox=BBox(0.25, 0.25, 0.75, 0.75)), 4),
        (Region(bbox=BBox(0.25, 0.25, 0.5, 0.5)), None),
        (Region(polygon=(Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1))), None),
        (Region(crop_uniform_background=True), None),
    ],
)
def test_factor_is_that_of_the_region(region: Region, factor: int | None) -> None:
    _, reduction = prepared(jpeg(Image.new("RGB", (480, 360))), region, spec())
    assert (reduction and reduction.factor) == factor


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_decoded_exactly(image_format: str) -> None:
    data = jpeg(waves(480, 360, 96), image_format=image_format)
    result, reduction = prepared(data, WHOLE_IMAGE, spec())
    assert reduction is None
    assert torch.equal(result.tensor, prepared(data, WHOLE_IMAGE, spec(decoding="EXACT"))[0].tensor)


@pytest.mark.parametrize("resize_type", ["SQUASH", "CROP", "FILL", "NETWORK"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [4, 8])
def test_every_pixel_comes_from_the_same_place_of_the_image(factor: int, orientation: int, resize_type: str) -> None:
    sides = st.integers(2 * factor * 40, 3 * factor * 40)
    edges = st.floats(0, 0.1), st.floats(0.9, 1)
    boxes = st.builds(BBox, edges[0], edges[0], edges[1], edges[1])

    @settings(max_examples=3, deadline=None, derandomize=True)
    @given(sides, sides, st.none() | boxes)
    def check(width: int, height: int, bbox: BBox | None) -> None:
        data = jpeg(waves(width, height, 24 * factor), orientation)
        scaled = spec(resize_type=resize_type, target_size="40x40")
        region = Region(bbox=bbox)
        found, reduction = prepared(data, region, scaled)
        expected, _ = prepared(data, region, replace(scaled, decoding=Decoding.EXACT))
        assert reduction is not None
        assert found.placement == expected.placement
        assert (found.input_width, found.input_height) == (expected.input_width, expected.input_height)
        differences = (found.tensor - expected.tensor).abs()
        assert differences.mean() < 1.1  # a third of a pixel of the input aside, and it is 5
        assert differences.max() < 15  # at the edge of a box, where a pixel of the reduced image is partly outside

    check()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"progressive": True}, {"image_format": "MPO", "save_all": True}]
)
def test_every_kind_of_jpeg_can_be_scaled(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(waves(483, 365, 96).convert(mode), 6, **options)
    found, reduction = prepared(data, WHOLE_IMAGE, spec(target_size="30x40"))
    expected, _ = prepared(data, WHOLE_IMAGE, spec(target_size="30x40", decoding="EXACT"))
    assert reduction is not None
    assert (found.tensor - expected.tensor).abs().max() <= 6


def drawn_text(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    line = "Sphinx of black quartz, judge my vow. " * 3
    ImageDraw.Draw(image).multiline_text((4, 4), "\n".join([line] * 40), fill="black", font_size=17)
    return image


def rings(width: int, height: int) -> Image.Image:
    """All frequencies, from none in the corner to the finest, at full contrast."""
    y, x = np.mgrid[0:height, 0:width]
    values = np.rint(127.5 + 127.5 * np.cos((x**2 + y**2) / 900)).astype(np.uint8)
    return Image.fromarray(values).convert("RGB")


def stripes(width: int, height: int) -> Image.Image:
    columns = np.arange(width) // 3 % 2 * 255
    return Image.fromarray(np.broadcast_to(columns.astype(np.uint8), (height, width))).convert("RGB")


def texture(width: int, height: int) -> Image.Image:
    """Noise of all sizes of grain, as clouds, stones and leaves have."""
    random, sizes = np.random.default_rng(0), [(width // grain, height // grain) for grain in (1, 2, 4, 8, 16, 64)]
    layers = [
        np.asarray(Image.fromarray(random.integers(0, 256, (rows, columns, 3), np.uint8)).resize((width, height)))
        for columns, rows in sizes
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


@pytest.mark.parametrize("interpolation", ["BILINEAR", "BICUBIC"])
@pytest.mark.parametrize("picture", [drawn_text, rings, stripes, texture])
def test_fine_patterns_differ_by_no_more_than_is_documented(picture: Any, interpolation: str) -> None:
    data = jpeg(picture(800, 600), quality=90)
    differences = []
    for side in range(25, 101):
        wanted = spec(target_size=str(side), interpolation=interpolation)
        found, reduction = prepared(data, WHOLE_IMAGE, wanted)
        expected, _ = prepared(data, WHOLE_IMAGE, replace(wanted, decoding=Decoding.EXACT))
        assert reduction is not None
        differences.append(float((found.tensor - expected.tensor).abs().max()))
    assert max(differences) <= LARGEST_DIFFERENCE
    assert max(differences) >= 5  # so it is another way of decoding that was compared


def test_what_lies_beside_a_box_shows_in_its_outermost_pixels_alone() -> None:
    for start in range(100, 108):
        image = Image.new("RGB", (803, 605), "black")
        image.paste("white", (start, start, 700, 500))
        region = Region(bbox=BBox(start / 803, start / 605, 700 / 803, 500 / 605))
        found, reduction = prepared(jpeg(image), region, spec(target_size="97x65", resize_type="SQUASH"))
        assert reduction is not None
        assert found.tensor[:, 1:-1, 1:-1].min() >= 253
        assert found.tensor[:, 1:-1].min() >= 255 - LARGEST_DIFFERENCE
        assert found.tensor.min() >= 255 - 2 * LARGEST_DIFFERENCE  # at corners


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_memory_is_reserved_for_all_coefficients_and_the_reduced_pixels(mode: str, progressive: bool) -> None:
    data = jpeg(Image.new(mode, (800, 600)), progressive=progressive)
    exact, scaled = open_image(data, LIMITS), open_image(data, LIMITS)
    reduce_for(scaled, WHOLE_IMAGE, spec())
    assert 2 * len(mode) * 800 * 600 < scaled.decoding_bytes < exact.decoding_bytes


def test_damaged_file_is_a_sentence() -> None:
    without_tables = jpeg(waves(480, 360, 96)).replace(b"\xff\xdb", b"\xff\xfe")
    with pytest.raises(ImageError, match="damaged"):
        prepared(without_tables, WHOLE_IMAGE, spec())
