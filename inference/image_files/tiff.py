"""What the samples of a TIFF image mean, by its own tags (TIFF 6.0, sections 3 to 8, 16, 18 and 19).

Pillow hands out the stored numbers of samples that are larger than a byte, whatever they mean, and reads some layouts
as others. Here they are known, or refused by a sentence that gives the tags.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from inference.errors import ImageError

ADVICE = "Convert it to 8 bits a sample, gray or RGB."
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")

_WIDTH, _LENGTH = 256, 257
_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 259, 262, 284, 338, 339
_SUBSAMPLING = 530
_WHITE_IS_ZERO, _YCBCR = 0, 6
_UNCOMPRESSED, _SEPARATE_PLANES = 1, 2
_SIGNED = 2
_NO_SUBSAMPLING = (1, 1)
_BYTE_BITS, _MAX_BITS = 8, 16
_MAX_TAG_VALUES = 8  # that a sentence gives


@dataclass(frozen=True)
class GrayRange:
    """What gray samples mean: the stored value that is ``white``, and the one that is ``black``."""

    black: int
    white: int


def check_samples(image: Image.Image) -> None:
    """Refuse a TIFF image whose header Pillow reads and whose samples it would give another meaning.

    Raises:
        ImageError: for numbers that have no known white (signed, of 32 bits, or without a statement), and for layouts
            that Pillow takes for others.
    """
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]  # TIFFs have it
    bits, formats = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))
    is_without_white = max(bits) > _BYTE_BITS and _PHOTOMETRIC not in tags
    if _SIGNED in formats or max(bits) > _MAX_BITS or is_without_white:
        raise ImageError(f"The TIFF image has {_described(tags)}, of which it is not known what is white. {ADVICE}")
    if tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED and _is_misread_uncompressed(image, tags):
        raise ImageError(f"The TIFF image has {_described(tags)}, which is not supported. {ADVICE}")


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height of what is stored, which Pillow exchanges of an image that is to be turned."""
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]
    return tags[_WIDTH], tags[_LENGTH]


def gray_range(image: Image.Image) -> GrayRange:
    """Return what the samples of 12 or 16 bits of an image mean that passed ``check_samples``."""
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]
    most = (1 << max(tags.get(_BITS, (1,)))) - 1
    return GrayRange(most, 0) if tags[_PHOTOMETRIC] == _WHITE_IS_ZERO else GrayRange(0, most)


def declares_alpha(image: Image.Image) -> bool:
    """Tell whether the file says of a sample beyond those of colour that it is alpha; some writers only add one."""
    return _EXTRA_SAMPLES in image.tag_v2  # type: ignore[attr-defined]


def describe_samples(data: bytes) -> str | None:
    """Return what a TIFF file that Pillow cannot read says of its samples; None if its directory cannot be read."""
    stream = io.BytesIO(data)
    try:
        head = stream.read(8)
        tags = ImageFileDirectory_v2(head + (stream.read(8) if head[2:3] == b"+" else b""))
        stream.seek(tags.next)
        tags.load(stream)
        return _described(tags) if _BITS in tags else None
    except Exception:  # Pillow's parsers raise anything at all on hostile headers
        return None


def _is_misread_uncompressed(image: Image.Image, tags: Mapping[int, Any]) -> bool:
    """Tell whether the samples lie in another order than Pillow takes them for, which libtiff, asked, would know."""
    if tags.get(_PLANAR) == _SEPARATE_PLANES and len(image.getbands()) > 1:
        raw_modes = [tile.args[0] for tile in image.tile if isinstance(tile.args, tuple)]  # type: ignore[attr-defined]
        return max(tags.get(_BITS, (1,))) > _BYTE_BITS or any(mode.islower() for mode in raw_modes)
    return tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_SUBSAMPLING, (2, 2)) != _NO_SUBSAMPLING


def _described(tags: Mapping[int, Any]) -> str:
    named = {
        "BitsPerSample": tags.get(_BITS, (1,)),
        "SampleFormat": tags.get(_SAMPLE_FORMAT, (1,)),
        "PhotometricInterpretation": tags.get(_PHOTOMETRIC, "missing"),
        "ExtraSamples": tags.get(_EXTRA_SAMPLES, ()),
        "PlanarConfiguration": tags.get(_PLANAR, 1),
        "Compression": tags.get(_COMPRESSION, _UNCOMPRESSED),
    }
    values = {name: _values(value) for name, value in named.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)


def _values(value: Any) -> str:
    several = value if isinstance(value, tuple) else (value,)
    return " ".join(str(each)[:_MAX_TAG_VALUES] for each in several[:_MAX_TAG_VALUES])
