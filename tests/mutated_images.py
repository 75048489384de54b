"""Images of every format that Pillow reads, and endless mutations of them: the same ones for the same seed."""

import io
import random
from collections.abc import Callable, Iterator

from PIL import Image

from inference.image_files.formats import FORMATS

SIDE = 24
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEADER_BYTES = 256
ACCEPTED_SHARE = 0.8
MODES = ("RGB", "L", "P", "1")
# How files begin of formats that Pillow reads and cannot write, or writes with the help of others only.
HEADS = {
    "BUFR": b"BUFR\0\0\x40\4",
    "CUR": b"\0\0\2\0\1\0\x10\x10\0\0\0\0\0\0\x40\0\0\0\x16\0\0\0\x28\0\0\0",
    "DCX": b"\xb1\x68\xde\x3a\x0c\0\0\0\0\0\0\0",
    "FITS": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80),
    "FLI": b"\0\1\0\0\x11\xaf\1\0\x10\0\x10\0\x08\0\3\0",
    "FTEX": b"FTEX\0\0\1\0\x10\0\0\0\x10\0\0\0\1\0\0\0\1\0\0\0",
    "GBR": b"\0\0\0\x1c\0\0\0\2\0\0\0\x10\0\0\0\x10\0\0\0\1GIMP\0\0\0\x0a",
    "GRIB": b"GRIB\0\0\x40\1",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "IM": b"Image type: L image\r\nImage size (x*y): 16*16\r\nFile size (no of images): 1\r\n".ljust(511, b"\0")
    + b"\x1a",
    "IMT": b"width 16\nheight 16\npixel n8\n\x0c",
    "IPTC": b"\x1c\x03\x3c\0\2\1\0\x1c\x03\x14\0\1\x10\x1c\x03\x1e\0\1\x10\x1c\x08\x0a\0\1\0",
    "MCIDAS": b"\0\0\0\0\0\0\0\4",
    "MPEG": b"\0\0\1\xb3\1\0\x10\x13",
    "PCD": bytes(2048) + b"PCD_IPI",
    "PIXAR": b"\x80\xe8\0\0",
    "PSD": b"8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\x10\0\0\0\x10\0\x08\0\3",
    "SUN": b"\x59\xa6\x6a\x95\0\0\0\x10\0\0\0\x10\0\0\0\x08",
    "WMF": b"\xd7\xcd\xc6\x9a\0\0\0\0\0\0\x40\0\x40\0\x48\0",
    "XPM": b'/* XPM */\nstatic char *a[] = {\n"2 2 1 1",\n"a c #ff0000",\n"aa",\n"aa"};\n',
    "XVTHUMB": b"P7 332\n#END_OF_COMMENTS\n16 16 255\n",
}
BODY = bytes(range(256)) * 8

VARIANTS: list[tuple[str, str, dict[str, object]]] = [
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "L", {"optimize": True}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {"transparency": 0}),
    ("PNG", "I;16", {}),
    ("PNG", "1", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {"save_all": True, "append_images": [Image.new("P", (SIDE, SIDE), 3)]}),
    ("BMP", "P", {}),
    ("BMP", "1", {}),
    *[
        ("TIFF", mode, {"compression": compression})
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
        for mode in ("RGB", "L")
    ],
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "CMYK", {}),
    ("TIFF", "I;16", {}),
    ("JPEG2000", "RGBA", {}),
    ("JPEG2000", "L", {"no_jp2": True}),
    ("JPEG2000", "RGB", {"tile_size": (8, 8), "irreversible": True}),
    ("HEIF", "RGBA", {}),
    ("HEIF", "RGB", {"tile_size": 16}),
    ("AVIF", "RGBA", {}),
    ("AVIF", "L", {"save_all": True, "append_images": [Image.new("L", (SIDE, SIDE), 3)]}),
    ("PPM", "L", {}),
    ("PPM", "1", {}),
]


def accepted_originals() -> list[bytes]:
    """Return a small valid image of each format that is accepted, and of each variant."""
    variants = [data for name, mode, options in VARIANTS if (data := _saved(name, mode, options))]
    return [*map(image_of, FORMATS), *variants]


def other_originals() -> list[bytes]:
    """Return a small image of each format that Pillow reads and that is not accepted."""
    Image.init()
    return [image_of(name) for name in sorted({*Image.OPEN, *Image.SAVE} - {*FORMATS, "PDF"})]


def image_of(name: str) -> bytes:
    """Return a small valid image of a format, or for one that Pillow cannot write, what begins like one."""
    if name in HEADS:
        return HEADS[name] + BODY
    return next(data for mode in MODES if (data := _saved(name, mode, {})))


def mutations(seed: int) -> Iterator[bytes]:
    """Yield mutated images without end."""
    chance = random.Random(seed)
    accepted, others = accepted_originals(), other_originals()
    while True:
        data = bytearray(chance.choice(accepted if chance.random() < ACCEPTED_SHARE else others))
        for _ in range(chance.randint(1, 4)):
            chance.choice(_CHANGES)(data, chance)
        if chance.random() < 0.1:
            data += chance.choice(accepted)
        yield bytes(data)


def _saved(name: str, mode: str, options: dict[str, object]) -> bytes:
    gradient = Image.linear_gradient("L").resize((SIDE, SIDE))
    picture = Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180)))
    picture = picture if mode == "RGB" else picture.convert("L" if mode == "I;16" else mode).convert(mode)
    stream = io.BytesIO()
    try:
        picture.save(stream, name, **options)
    except (OSError, ValueError, KeyError):  # a format for another mode only, or whose library is not there
        return b""
    return stream.getvalue()


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _take_out(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.randint(1, 64)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    data[start:start] = data[start : start + chance.randint(1, 64)] * chance.randint(1, 4)


def _exaggerate(data: bytearray, chance: random.Random) -> None:
    """Write an extreme number into the header, where sizes and counts are."""
    size = chance.choice((1, 2, 4))
    number = chance.choice(EXTREMES) & (256**size - 1)
    start = chance.randrange(min(len(data), HEADER_BYTES) + 1)
    data[start : start + size] = number.to_bytes(size, chance.choice(("big", "little")))


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _cut, _take_out, _repeat, _exaggerate)
