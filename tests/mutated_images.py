"""Images of every format that Pillow writes, and endless mutations of them: the same ones for the same seed."""

import io
import random
from collections.abc import Callable, Iterator

from PIL import Image

SIDE = 24
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEADER_BYTES = 256
LEFT_OUT = ("PDF", "HDF5", "BUFR", "GRIB", "WMF", "IM")  # no images, in need of a handler, or deprecated by Pillow

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
    ("PPM", "L", {}),
    ("PPM", "1", {}),
]


def originals() -> list[bytes]:
    """Return a small valid image of each format and variant."""
    Image.init()
    plain = [(name, "RGB", {}) for name in sorted(Image.SAVE) if name not in LEFT_OUT]
    return [data for name, mode, options in [*plain, *VARIANTS] if (data := _saved(name, mode, options))]


def mutations(seed: int) -> Iterator[bytes]:
    """Yield mutated images without end."""
    chance = random.Random(seed)
    seeds = originals()
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            chance.choice(_CHANGES)(data, chance)
        if chance.random() < 0.1:
            data += chance.choice(seeds)
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
