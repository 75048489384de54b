"""Images as they are looked at on this side: their sizes, and boxes and labels drawn into them."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from cli.submit.outcome import Outcome, SentImage
from cli.submit.pictures import draw_outcome, drawn_name, size_of
from tests.unit.cli.submit.samples import Json, box, output, tag

SIDEWAYS = 6  # the camera was held upright: turned by 90° when it is looked at
GRAY = (128, 128, 128)


def file_of(size: tuple[int, int], suffix: str = "PNG", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.new("RGB", size, GRAY).save(buffer, suffix, exif=exif)
    return buffer.getvalue()


def drawn(tmp_path: Path, file: bytes, *outputs: Json, name: str = "a.png") -> Image.Image:
    outcome = Outcome(SentImage(name, size_of(file), file), "1", outputs=list(outputs))
    path = draw_outcome(outcome, tmp_path)
    assert path is not None
    with Image.open(path) as image:
        return image.copy()


def test_size_is_that_of_the_image_as_it_is_looked_at() -> None:
    assert size_of(file_of((30, 20))) == (30, 20)
    assert size_of(file_of((30, 20), "JPEG", SIDEWAYS)) == (20, 30)
    assert size_of(b"no image") is None
    assert size_of(b"") is None


def test_size_of_a_tiff_is_exchanged_once() -> None:
    assert size_of(file_of((30, 20), "TIFF", SIDEWAYS)) == (20, 30)


@pytest.mark.parametrize("suffix", ["JPEG", "WEBP", "TIFF"])
def test_orientation_in_xmp_alone_does_not_count(tmp_path: Path, suffix: str) -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>"
    options: Json = {"tiffinfo": {700: xmp}} if suffix == "TIFF" else {"xmp": xmp}
    buffer = BytesIO()
    Image.new("RGB", (400, 200), GRAY).save(buffer, suffix, **options)
    assert size_of(buffer.getvalue()) == (400, 200)
    assert drawn(tmp_path, buffer.getvalue(), output(tag(1, "dog", 0.9))).size == (400, 200)


def test_orientation_in_xmp_of_a_png_does_not_count(tmp_path: Path) -> None:
    texts, buffer = PngImagePlugin.PngInfo(), BytesIO()
    texts.add_itxt("XML:com.adobe.xmp", '<rdf:Description tiff:Orientation="6"/>')
    Image.new("RGB", (400, 200), GRAY).save(buffer, "PNG", pnginfo=texts)
    assert size_of(buffer.getvalue()) == (400, 200)
    assert drawn(tmp_path, buffer.getvalue(), output(tag(1, "dog", 0.9))).size == (400, 200)


def test_box_is_drawn_at_its_pixels_and_nothing_else_is_touched_but_for_its_label(tmp_path: Path) -> None:
    image = drawn(tmp_path, file_of((400, 400)), output(box(1, "dog", 0.9, (0.25, 0.5, 0.75, 0.9))))
    changed = {(x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y))[:3] != GRAY}
    edges = {(100, 300), (300, 300), (200, 200), (200, 360), (100, 200), (300, 360)}
    assert edges <= changed
    assert not {(200, 280), (99, 300), (302, 300), (200, 362), (105, 355)} & changed
    label = [y for x, y in changed if y < 200]
    assert label
    assert min(label) > 175


def test_box_follows_the_orientation_of_the_image(tmp_path: Path) -> None:
    file = file_of((400, 200), "JPEG", SIDEWAYS)
    image = drawn(tmp_path, file, output(box(1, "dog", 0.9, (0.0, 0.75, 1.0, 1.0))), name="a.jpg")
    assert image.size == (200, 400)
    red, green, blue = image.getpixel((1, 350))
    assert max(red, green, blue) - min(red, green, blue) > 50


def test_labels_without_boxes_are_written_at_the_top(tmp_path: Path) -> None:
    image = drawn(tmp_path, file_of((300, 200)), output(tag(3, "day", 0.8)))
    assert image.getpixel((1, 1)) != GRAY
    assert image.getpixel((1, 100)) == GRAY


def test_nothing_is_drawn_for_an_error(tmp_path: Path) -> None:
    outcome = Outcome(SentImage("a.jpg", None, b"no image"), "1", error="This is no image.")
    assert draw_outcome(outcome, tmp_path) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("photos/a.jpg", "photos/a.jpg"),
        ("/srv/photos/a.JPEG", "srv/photos/a.JPEG"),
        ("../../a.png", "a.png"),
        ("a.tiff", "a.tiff.png"),
        ("..", "image.png"),
        ("https://example.com/x/a.jpg", "example.com/x/a.jpg"),
        ("https://example.com/x?id=3&b=../..", "example.com/x_id=3&b=...png"),
    ],
)
def test_drawing_keeps_the_name_and_never_leaves_its_folder(path: str, name: str) -> None:
    assert str(drawn_name(path)) == name
