"""Looks at images on this side, for ``--draw`` and ``--format coco``: all of the command that needs Pillow."""

import colorsys
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from PIL import Image, ImageDraw, ImageFont, ImageOps
from pillow_heif import register_heif_opener

from cli.submit.journal import writing
from cli.submit.names.sources import is_url
from cli.submit.outcome import NotDrawn, Outcome, Size

ORIENTATION_TAG = 0x0112
SIDEWAYS = (5, 6, 7, 8)
XMP_NAMES = ("xmp", "XML:com.adobe.xmp")
KEPT_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
JPEG_QUALITY = 92
GOLDEN_RATIO = 0.618034  # of a turn of hue from label to label: neighbours differ, however many there are
LINE_SHARE = 1 / 300  # of the image's longer side
TEXT_SHARE = 1 / 40
SMALLEST_TEXT = 11
LABELS_WITHOUT_BOX = 3
UNSAFE_IN_NAME = re.compile(r'[\x00-\x1f:*?"<>|\\]')

Json = dict[str, Any]

register_heif_opener()


class _Pen(NamedTuple):
    draw: ImageDraw.ImageDraw
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    line_width: int


def size_of(file: bytes) -> Size | None:
    """Return the size of an image as it is looked at, from its header; ``None`` if it is no image."""
    try:
        with Image.open(BytesIO(file)) as image:
            _forget_xmp(image)
            # The sides of TIFF and HEIC have been exchanged already.
            sideways = image.format not in ("TIFF", "HEIF") and image.getexif().get(ORIENTATION_TAG) in SIDEWAYS
            return (image.height, image.width) if sideways else (image.width, image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def draw_outcome(outcome: Outcome, folder: Path) -> Path | None:
    """Write the image with its labels and boxes below ``folder`` and return where; nothing for an error.

    Raises:
        NotDrawn: if it cannot be read here.
        CommandError: if the drawing cannot be written.
    """
    if outcome.outputs is None or outcome.image.file is None:
        return None
    try:
        with Image.open(BytesIO(outcome.image.file)) as opened:
            _forget_xmp(opened)
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotDrawn from error
    longest = max(image.size)
    font = ImageFont.load_default(max(SMALLEST_TEXT, round(longest * TEXT_SHARE)))
    pen = _Pen(ImageDraw.Draw(image), font, max(2, round(longest * LINE_SHARE)))
    captions = []
    for prediction in _predicted(outcome.outputs):
        if "roi" in prediction:
            _draw_box(pen, prediction, image.size)
        else:
            captions.append(prediction)
    for row, prediction in enumerate(captions[:LABELS_WITHOUT_BOX]):
        _draw_label(pen, prediction, (0, row * _text_height(pen)))
    target = folder / drawn_name(outcome.image.path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target, quality=JPEG_QUALITY)
    return target


def drawn_name(path: str) -> PurePosixPath:
    """Return where in the folder of drawings the drawing of ``path`` goes; never outside of it."""
    if is_url(path):
        parts = urlsplit(path)
        path = f"{parts.netloc}/{parts.path}"
        path += f"?{parts.query}" if parts.query else ""
    names = [UNSAFE_IN_NAME.sub("_", name) for name in path.split("/") if name not in ("", ".", "..")]
    name = PurePosixPath(*(names or ["image"]))
    return name if name.suffix.lower() in KEPT_SUFFIXES else name.with_name(name.name + ".png")


def _forget_xmp(image: Image.Image) -> None:
    """Have an image turned by EXIF alone, as the service does; Pillow would look for an orientation in XMP as well."""
    if image.format == "PNG":
        image.load()  # whose metadata may stand behind its pixels
    for name in XMP_NAMES:
        image.info.pop(name, None)


def _predicted(outputs: list[Json]) -> Iterator[Json]:
    for output in outputs:
        yield from output["labels"]["predicted"]


def _draw_box(pen: _Pen, prediction: Json, size: Size) -> None:
    box = prediction["roi"]["bbox"]
    left, right = box["xmin"] * size[0], box["xmax"] * size[0]
    top, bottom = box["ymin"] * size[1], box["ymax"] * size[1]
    pen.draw.rectangle((left, top, right, bottom), outline=_colour(prediction), width=pen.line_width)
    above = top - _text_height(pen)
    _draw_label(pen, prediction, (left, above if above >= 0 else top))


def _draw_label(pen: _Pen, prediction: Json, position: tuple[float, float]) -> None:
    text = f" {prediction['label_name']} {prediction['score']:.2f} "
    left, top = position
    background = (left, top, left + pen.draw.textlength(text, font=pen.font), top + _text_height(pen))
    pen.draw.rectangle(background, fill=_colour(prediction))
    pen.draw.text(position, text, fill="white", font=pen.font)


def _text_height(pen: _Pen) -> float:
    return 1.25 * float(getattr(pen.font, "size", SMALLEST_TEXT))


def _colour(prediction: Json) -> tuple[int, int, int]:
    hue = (prediction["label_id"] * GOLDEN_RATIO) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, 0.38, 0.85)  # dark enough for white letters
    return round(255 * red), round(255 * green), round(255 * blue)
