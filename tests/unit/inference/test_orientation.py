"""One rule says which way up an image is, whatever format it has and however it is decoded.

The picture has a colour of its own in each corner. Expected corners follow from the meaning of the tag (CIPA DC-008,
section 4.6.4: which side of the scene the first row and the first column of the file are).
"""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from inference.image_files.orientation import read_orientation
from inference.images import ImageLimits, decode_image, open_image
from inference.network import ImageSpec
from inference.preprocess import prepare_image
from inference.reduction import reduce_for
from inference.regions import WHOLE_IMAGE
from tests.unit.inference.image_writers import (
    BYTE,
    LONG,
    ORIENTATION,
    SHORT,
    exif,
    exif_of,
    exif_segment,
    jpeg_segment,
    png_chunk,
    tiff,
    tiff_fields,
)

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
XMP_ROTATED = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>"
XMP_SEGMENT = jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP_ROTATED)
WIDTH, HEIGHT = 96, 64
COLOURS = {"R": (250, 0, 0), "G": (0, 250, 0), "B": (0, 0, 250), "W": (250, 250, 250)}
# Corners as they are stored: top left, top right, bottom left, bottom right; and upright, for each orientation.
STORED = "RGBW"
UPRIGHT = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}


def picture() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for index, name in enumerate(STORED):
        left, top = index % 2 * WIDTH // 2, index // 2 * HEIGHT // 2
        image.paste(COLOURS[name], (left, top, left + WIDTH // 2, top + HEIGHT // 2))
    return image


def saved(image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture().save(stream, image_format, **options)
    return stream.getvalue()


def corners(pixels: np.ndarray) -> str:
    """Return the letters of the corners of ``(3, height, width)``."""
    names = {colour: name for name, colour in COLOURS.items()}
    spots = [pixels[:, row, column] for row in (2, -3) for column in (2, -3)]
    return "".join(names[tuple(250 * int(value > 125) for value in spot)] for spot in spots)


def jpeg(*segments: bytes, **options: object) -> bytes:
    data = saved("JPEG", quality=95, subsampling=0, **options)
    return data[:2] + b"".join(segments) + data[2:]


def png(chunk: bytes, *, before: bool = True) -> bytes:
    data = saved("PNG")
    place = 33 if before else len(data) - 12
    return data[:place] + chunk + data[place:]


def text_profile(kind: bytes, block: bytes) -> bytes:
    """EXIF as ImageMagick writes it into PNG texts: a name, a length, and digits in lines of 72."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    content = f"\nexif\n{len(block):8}\n{lines}\n".encode()
    head = b"Raw profile type exif\0"
    if kind == b"tEXt":
        return png_chunk(kind, head + content)
    if kind == b"zTXt":
        return png_chunk(kind, head + b"\0" + zlib.compress(content))
    return png_chunk(kind, head + b"\1\0\0\0" + zlib.compress(content))


def webp(block: bytes) -> bytes:
    return saved("WEBP", lossless=True, exif=block)


def mpo(block: bytes) -> bytes:
    stream = io.BytesIO()
    other = Image.new("RGB", (8, 8))
    picture().save(stream, "MPO", save_all=True, append_images=[other], quality=95, exif=b"Exif\0\0" + block)
    return stream.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda block: jpeg(exif_segment(block)),
    "JPEG, then XMP": lambda block: jpeg(exif_segment(block), XMP_SEGMENT),
    "JPEG, behind XMP": lambda block: jpeg(XMP_SEGMENT, exif_segment(block)),
    "JPEG, behind another APP1": lambda block: jpeg(jpeg_segment(0xE1, b"vendor\0data"), exif_segment(block)),
    "JPEG, behind fill bytes": lambda block: jpeg(b"\xff" * 9, exif_segment(block)),
    "JPEG, behind tables": lambda block: (data := jpeg())[:20] + exif_segment(block) + data[20:],
    "JPEG, over two segments": lambda block: jpeg(exif_segment(block[:30]), exif_segment(block[30:])),
    "JPEG, a second block": lambda block: jpeg(exif_segment(block), exif_segment(exif(3))),
    "JPEG, progressive": lambda block: jpeg(XMP_SEGMENT, exif_segment(block), progressive=True),
    "JPEG, beside damaged metadata": lambda block: jpeg(exif_segment(block), jpeg_segment(0xE0, b"JFIF\0")),
    "MPO": mpo,
    "PNG": lambda block: png(png_chunk(b"eXIf", block)),
    "PNG, behind the pixels": lambda block: png(png_chunk(b"eXIf", block), before=False),
    "PNG, prefixed": lambda block: png(png_chunk(b"eXIf", b"Exif\0\0" + block)),
    "PNG, tEXt": lambda block: png(text_profile(b"tEXt", block)),
    "PNG, zTXt": lambda block: png(text_profile(b"zTXt", block)),
    "PNG, iTXt": lambda block: png(text_profile(b"iTXt", block), before=False),
    "WebP": webp,
    "WebP, prefixed": lambda block: webp(b"Exif\0\0" + block),
    "WebP, prefixed twice": lambda block: webp(b"Exif\0\0Exif\0\0" + block),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("order", "kind"), [("<", SHORT), (">", SHORT), ("<", LONG), (">", LONG), (">", BYTE)])
def test_orientation_is_found_wherever_a_format_keeps_exif(container: str, order: str, kind: int) -> None:
    for orientation, expected in UPRIGHT.items():
        pixels = decode_image(CONTAINERS[container](exif(orientation, order, kind)), LIMITS).numpy()
        assert pixels.shape[1:] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
        assert corners(pixels) == expected


@pytest.mark.parametrize("kind", [BYTE, SHORT, LONG])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_is_turned_by_its_own_tag(order: str, kind: int) -> None:
    rows = np.asarray(picture()).tobytes()
    for orientation, expected in UPRIGHT.items():
        fields = {**tiff_fields(WIDTH, HEIGHT, bits=(8, 8, 8), photometric=2), ORIENTATION: (kind, [orientation])}
        assert corners(decode_image(tiff(fields, [rows], order), LIMITS).numpy()) == expected


@pytest.mark.parametrize("decoding", ["EXACT", "SCALED", "DEVICE"])
@pytest.mark.parametrize("container", [name for name in CONTAINERS if name.startswith(("JPEG", "MPO"))])
def test_orientation_is_the_same_for_every_way_of_decoding(container: str, decoding: str) -> None:
    fields = {"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "8x8", "color_channels": "RGB"}
    spec = ImageSpec.from_json({"tensor_name": "x", "image": {**fields, "decoding": decoding}})
    for orientation, expected in UPRIGHT.items():
        image = open_image(CONTAINERS[container](exif(orientation, ">", LONG)), LIMITS)
        assert orientation == 1 or not image.is_plain_jpeg()  # what is turned is decoded on the CPU
        reduction = reduce_for(image, WHOLE_IMAGE, spec)
        assert (reduction is not None) == (decoding == "SCALED")
        prepared = prepare_image(image.decode(), WHOLE_IMAGE, spec, reduction=reduction, as_pixels=True)
        assert corners(prepared.tensor.numpy()) == expected


XMP_ONLY: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: jpeg(XMP_SEGMENT),
    "JPEG beside EXIF without an orientation": lambda: jpeg(
        exif_segment(exif_of({0x010E: (BYTE, b"a camera\0")})), XMP_SEGMENT
    ),
    "PNG": lambda: png(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_ROTATED)),
    "WebP": lambda: saved("WEBP", lossless=True, xmp=XMP_ROTATED),
    "TIFF": lambda: tiff(
        {**tiff_fields(WIDTH, HEIGHT, bits=(8, 8, 8), photometric=2), 700: (BYTE, XMP_ROTATED)},
        [np.asarray(picture()).tobytes()],
    ),
}


@pytest.mark.parametrize("container", XMP_ONLY)
def test_orientation_in_xmp_alone_is_ignored(container: str) -> None:
    assert corners(decode_image(XMP_ONLY[container](), LIMITS).numpy()) == STORED


def block(count: int, entries: bytes, start: int = 8) -> bytes:
    return b"II*\0" + struct.pack("<IH", start, count) + entries


ENTRY = struct.pack("<HHIHH", ORIENTATION, SHORT, 1, 6, 0)


@pytest.mark.parametrize(
    ("exif_block", "expected"),
    [
        (block(1, ENTRY), 6),
        (block(1, ENTRY + bytes(4)), 6),
        (block(9, ENTRY), 6),  # of nine entries that there should be, one
        (block(2, ENTRY + ENTRY.replace(b"\x06", b"\x03")), 6),  # the first of several
        (b"Exif\0\0" + block(1, ENTRY), 6),
        (block(1, ENTRY, start=10_000), 1),
        (block(1, ENTRY, start=0), 1),
        (block(1, ENTRY[:11]), 1),
        (block(1, struct.pack("<HHIHH", ORIENTATION, SHORT, 2, 6, 6)), 1),
        (block(1, struct.pack("<HHIHH", ORIENTATION, 2, 1, 6, 0)), 1),  # ASCII
        (block(1, struct.pack("<HHIHH", ORIENTATION, 5, 1, 6, 0)), 1),  # RATIONAL
        (block(1, struct.pack("<HHIHH", ORIENTATION, SHORT, 1, 0, 0)), 1),
        (block(1, struct.pack("<HHIHH", ORIENTATION, SHORT, 1, 9, 0)), 1),
        (block(1, struct.pack("<HHIHH", ORIENTATION, SHORT, 1, 6, 0xFFFF)), 6),  # padding may be anything
        (b"II+\0" + struct.pack("<IH", 8, 1) + ENTRY, 1),
        (b"II*\0", 1),
        (b"Exif\0\0", 1),
        (b"", 1),
        (b"\xff" * 40, 1),
    ],
)
def test_a_damaged_block_means_upright(exif_block: bytes, expected: int) -> None:
    assert read_orientation(exif_block) == expected


def test_damaged_exif_chunk_of_a_png_is_ignored() -> None:
    damaged = png_chunk(b"eXIf", exif(6), damage=1)
    assert corners(decode_image(png(damaged), LIMITS).numpy()) == STORED
