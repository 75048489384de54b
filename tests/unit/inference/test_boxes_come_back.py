"""A rectangle that was drawn comes back, through every combination of region, resize, target and order of dimensions.

In place of a network, the test looks for the black rectangle in the prepared pixels. It tells a box in pixels of the
input or from 0 to 1, and the post-processing must give the rectangle back within one pixel of the input.
"""

import io
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from inference.images import ImageLimits, decode_image, open_image
from inference.network import ImageSpec
from inference.postprocess import OutputDescription, postprocess
from inference.preprocess import Prepared, prepare_image
from inference.reduction import reduce_for
from inference.regions import BBox, Point, Region

ORIENTATION = 0x0112
LIMITS = ImageLimits(10**7, 10**7)
WHITE, GRAY, BLACK = 255, 200, 0
# How the dimensions of a prepared tensor become channels, rows, columns.
TO_CHW = {"NCHW": "chw->chw", "NCWH": "cwh->chw", "NHWC": "hwc->chw", "NWHC": "whc->chw"}
DIRECT = {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "classes"}
LABELS = {"labels": {"labels": [{"id": 1, "name": "rectangle"}], "exclusive": True, "roi": "BBOX"}}

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawing:
    """An image file, and what is in the image once it is upright, in pixels: its size, the rectangle, the region."""

    file: bytes
    width: int
    height: int
    rectangle: Box
    inner: Box


@st.composite
def drawings(
    draw: st.DrawFn, region: str, shortest: int = 60, longest: int = 200, image_format: str = "PNG"
) -> Drawing:
    """Draw a rectangle in a part of an image, and beside it what must not be seen or only bounds the foreground."""
    width, height = draw(st.integers(shortest, longest)), draw(st.integers(shortest, longest))
    left, top, right, bottom = 0, 0, width, height
    if region != "whole":
        left, top = draw(st.integers(0, width // 3)), draw(st.integers(0, height // 3))
        right, bottom = draw(st.integers(2 * width // 3, width)), draw(st.integers(2 * height // 3, height))
    # In the middle third of the part, so that a centre crop leaves some of it, and large enough to survive shrinking.
    part_width, part_height = right - left, bottom - top
    x0 = left + part_width // 3 + draw(st.integers(0, part_width // 12))
    y0 = top + part_height // 3 + draw(st.integers(0, part_height // 12))
    x1 = x0 + draw(st.integers(part_width // 6, part_width // 4))
    y1 = y0 + draw(st.integers(part_height // 6, part_height // 4))

    image = Image.new("L", (width, height), WHITE)
    pen = ImageDraw.Draw(image)
    if region == "bbox":  # all but the part is black
        pen.rectangle((0, 0, width, height), fill=BLACK)
        pen.rectangle((left, top, right - 1, bottom - 1), fill=WHITE)
    if region == "polygon":  # so are the corners of the part, which the polygon leaves out
        pen.rectangle((0, 0, width, height), fill=BLACK)
        pen.rectangle((left, top + part_height // 10, right - 1, bottom - 1 - part_height // 10), fill=WHITE)
        pen.rectangle((left + part_width // 10, top, right - 1 - part_width // 10, bottom - 1), fill=WHITE)
    if region == "uniform background":
        pen.point([(left, top), (right - 1, bottom - 1)], fill=GRAY)
    pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=BLACK)
    orientation = draw(st.integers(1, 8))
    file = stored(image, orientation, image_format)
    return Drawing(file, width, height, (x0, y0, x1, y1), (left, top, right, bottom))


def stored(upright: Image.Image, orientation: int, image_format: str) -> bytes:
    """Return a file of which Pillow says that it is ``upright`` once its orientation is applied."""
    undo = {6: 8, 8: 6}.get(orientation, orientation)  # all others are their own inverse
    upright.getexif()[ORIENTATION] = undo
    turned = ImageOps.exif_transpose(upright)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    turned.convert("RGB").save(buffer, image_format, exif=exif, quality=95)
    with Image.open(buffer) as written:
        shown = np.asarray(ImageOps.exif_transpose(written).convert("L"), np.int16)
    assert shown.shape == np.asarray(upright).shape
    assert np.abs(shown - np.asarray(upright)).max() <= (40 if image_format == "JPEG" else 0)
    return buffer.getvalue()


def region_of(kind: str, drawing: Drawing) -> Region:
    left, top, right, bottom = drawing.inner
    left, right = left / drawing.width, right / drawing.width
    top, bottom = top / drawing.height, bottom / drawing.height
    if kind == "bbox":
        return Region(bbox=BBox(left, top, right, bottom))
    if kind == "polygon":  # an octagon
        x_cut, y_cut = (right - left) / 4, (bottom - top) / 4
        xs, ys = (left, left + x_cut, right - x_cut, right), (top, top + y_cut, bottom - y_cut, bottom)
        corners = [(0, 1), (1, 0), (2, 0), (3, 1), (3, 2), (2, 3), (1, 3), (0, 2)]
        return Region(polygon=tuple(Point(xs[x], ys[y]) for x, y in corners))
    return Region(crop_uniform_background=kind == "uniform background")


def box_seen_in(prepared: Prepared, order: str) -> list[float]:
    """Return where the black rectangle is in the pixels of the input."""
    dark = torch.einsum(TO_CHW[order], prepared.tensor)[0] < GRAY / 2
    assert dark.shape == (prepared.input_height, prepared.input_width)
    rows, columns = dark.any(dim=1).nonzero().flatten(), dark.any(dim=0).nonzero().flatten()
    return [float(side) for side in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


def box_that_comes_back(box: list[float], prepared: Prepared, *, in_pixels: bool) -> torch.Tensor:
    size = [prepared.input_width, prepared.input_height] * 2
    boxes = torch.tensor([box]) if in_pixels else torch.tensor([box]) / torch.tensor(size)
    detection = {"direct_output": DIRECT, "normalize_wrt_tensor": "input_size" if in_pixels else ""}
    tensors = {"boxes": boxes, "scores": torch.tensor([0.9]), "classes": torch.tensor([1])}
    output = OutputDescription.from_json(LABELS, {"detection": detection})
    [found] = postprocess(output, tensors, prepared)["labels"]["predicted"]
    return torch.tensor([found["roi"]["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax")], dtype=torch.float64)


@pytest.mark.parametrize("form", ["WxH", "N"])
@pytest.mark.parametrize("resize_type", ["SQUASH", "CROP", "FILL", "NETWORK"])
@pytest.mark.parametrize("region", ["whole", "bbox", "polygon", "uniform background"])
def test_rectangle_comes_back(region: str, resize_type: str, form: str) -> None:
    sides = st.integers(30, 120)

    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(drawings(region), sides, sides)
    def check(drawing: Drawing, width: int, height: int) -> None:
        pixels, part = decode_image(drawing.file, LIMITS), region_of(region, drawing)
        target = f"{width}x{height}" if form == "WxH" else str(width)
        for order in TO_CHW:
            prepared = prepare_image(pixels, part, image_spec(order, resize_type, target))
            seen = box_seen_in(prepared, order)
            for in_pixels in (True, False):
                found = box_that_comes_back(seen, prepared, in_pixels=in_pixels)
                assert_is_the_rectangle(found, drawing, prepared)

    check()


@pytest.mark.parametrize("resize_type", ["SQUASH", "CROP", "FILL", "NETWORK"])
@pytest.mark.parametrize("region", ["whole", "bbox", "polygon", "uniform background"])
def test_rectangle_comes_back_from_an_image_that_was_decoded_at_a_fraction_of_its_size(
    region: str, resize_type: str
) -> None:
    sides, factors = st.integers(30, 60), set()

    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(drawings(region, 480, 900, "JPEG"), sides, sides)
    def check(drawing: Drawing, width: int, height: int) -> None:
        image, part = open_image(drawing.file, LIMITS), region_of(region, drawing)
        spec = image_spec("NCHW", resize_type, f"{width}x{height}", decoding="SCALED")
        reduction = reduce_for(image, part, spec)
        factors.add(reduction and reduction.factor)
        prepared = prepare_image(image.decode(), part, spec, reduction=reduction)
        found = box_that_comes_back(box_seen_in(prepared, "NCHW"), prepared, in_pixels=True)
        assert_is_the_rectangle(found, drawing, prepared)

    check()
    assert factors & {4, 8} if region in ("whole", "bbox") else factors == {None}


def image_spec(order: str, resize_type: str, target: str, decoding: str = "EXACT") -> ImageSpec:
    image = {"dimension_order": order, "resize_type": resize_type, "target_size": target, "color_channels": "RGB"}
    return ImageSpec.from_json({"tensor_name": "input", "image": {**image, "decoding": decoding}})


def assert_is_the_rectangle(found: torch.Tensor, drawing: Drawing, prepared: Prepared) -> None:
    """Compare with what the network sees of the rectangle, to within one pixel of its input."""
    view = prepared.placement.to_image(torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert (view[2:] > view[:2]).all()
    size = torch.tensor([drawing.width, drawing.height] * 2, dtype=torch.float64)
    drawn = torch.tensor(drawing.rectangle, dtype=torch.float64) / size
    visible = torch.maximum(torch.minimum(drawn, view[[2, 3, 2, 3]]), view[[0, 1, 0, 1]])
    one_pixel = (view[2:] - view[:2]) / torch.tensor([prepared.input_width, prepared.input_height])
    assert ((found - visible).abs() <= one_pixel.repeat(2) + 1e-6).all()
