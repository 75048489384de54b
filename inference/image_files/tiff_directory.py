"""A TIFF file whose directory is reduced to the tags from which its pixels and its orientation come.

Pillow unpacks tags into Python objects: the places of seven million strips take a minute and two gigabytes, as many
resolutions twelve seconds. It follows directories of EXIF, and paints strips over each other as often as the file names
them. So it gets one directory, within bounds, that stands behind the file; everything else stays where it is.
Layout and tags: TIFF 6.0, section 2 and appendix A; BigTIFF; the technical notes on JPEG of 1995.
"""

from struct import Struct
from typing import NamedTuple

from inference.errors import ImageError

MAX_ENTRIES = 1_000
MAX_VALUE_BYTES = 1 << 19  # of all tags but the places of strips; a palette of 16 bits takes 393,216
MAX_STRIPS = 32_768  # of uncompressed files, which Pillow reads one by one; libtiff reads the others
MAX_COMPRESSED_STRIPS = 1 << 20

_WIDTH, _LENGTH, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR = 256, 257, 259, 277, 278, 284
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_PLACES = frozenset((_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES))
_OTHERS = (
    *(258, 262, 266, 274),  # BitsPerSample, PhotometricInterpretation, FillOrder, Orientation
    *(280, 281, 292, 293, 326, 327, 328),  # Min- and MaxSampleValue, T4Options, T6Options, and those of faxes
    *(317, 320, 332, 334, 338, 339, 340, 341),  # Predictor, ColorMap, inks, ExtraSamples, SampleFormat and its range
    *(347, *range(512, 522)),  # JPEGTables, and those of old-style JPEG
    *(529, 530, 531, 532),  # YCbCr, ReferenceBlackWhite
    *(0xBC01, 50674),  # of Windows Media Photo, which is refused by it; LERC
)
_NEEDED = frozenset(
    (_WIDTH, _LENGTH, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_LENGTH, *_PLACES, *_OTHERS)
)
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_UNCOMPRESSED, _SEPARATE = 1, 2


class _Layout(NamedTuple):
    offset: Struct
    offset_at: int
    length: Struct
    entry: Struct
    order: str


class _Entry(NamedTuple):
    tag: int
    kind: int
    values: int
    stored: bytes

    @property
    def nbytes(self) -> int:
        return self.values * _TYPE_BYTES.get(self.kind, 1)


def _layout_of(data: bytes) -> _Layout:
    """Return how Pillow reads a file that begins like a TIFF."""
    order = ">" if data.startswith(b"MM") else "<"
    if data[2] == ord("+"):
        return _Layout(Struct(order + "Q"), 8, Struct(order + "Q"), Struct(order + "HHQ8s"), order)
    return _Layout(Struct(order + "I"), 4, Struct(order + "H"), Struct(order + "HHI4s"), order)


def reduce_tiff(data: bytes) -> bytes:
    """Return a file of the same pixels whose one directory has no tags but those that count, the first of each.

    Raises:
        ImageError: for very many tags, very long ones, or other strips or tiles than the image is made of.
    """
    layout = _layout_of(data)
    if len(data) < layout.offset_at + layout.offset.size:
        return data
    entries = _read(data, layout)
    _check(entries, layout)
    start = len(data) + len(data) % 2
    at, end = layout.offset_at, layout.offset_at + layout.offset.size
    parts: list[bytes | memoryview] = [
        memoryview(data)[:at],
        layout.offset.pack(start),
        memoryview(data)[end:],
        bytes(len(data) % 2),
    ]
    parts += [layout.length.pack(len(entries)), *(layout.entry.pack(*each) for each in entries)]
    return b"".join((*parts, layout.offset.pack(0)))


def _read(data: bytes, layout: _Layout) -> list[_Entry]:
    """Return the entries of the first directory that count; none of a directory that is not in the file."""
    (start,) = layout.offset.unpack_from(data, layout.offset_at)
    if start + layout.length.size > len(data):
        return []
    (count,) = layout.length.unpack_from(data, start)
    if count > MAX_ENTRIES:
        raise ImageError(f"The TIFF image has {count} tags, which is over the limit of {MAX_ENTRIES}; save it again.")
    first = start + layout.length.size
    entries: dict[int, _Entry] = {}
    for position in range(first, min(first + count * layout.entry.size, len(data)), layout.entry.size):
        if position + layout.entry.size > len(data):
            break
        entry = _Entry._make(layout.entry.unpack_from(data, position))
        if entry.tag in _NEEDED and entry.kind in _TYPE_BYTES:
            entries.setdefault(entry.tag, entry)
    return list(entries.values())


def _check(entries: list[_Entry], layout: _Layout) -> None:
    nbytes = sum(each.nbytes for each in entries if each.tag not in _PLACES)
    if nbytes > MAX_VALUE_BYTES:
        raise ImageError(
            f"The TIFF image has tags of {nbytes} bytes, which is over the limit of {MAX_VALUE_BYTES}; save it again."
        )
    tags = {each.tag: _number(each, layout) for each in entries}
    stated = max((each.values for each in entries if each.tag in _PLACES), default=0)
    most = MAX_COMPRESSED_STRIPS
    if tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        most = min(MAX_STRIPS, _strips_of(tags))
    if stated > most:
        raise ImageError(
            f"The TIFF image has {stated} strips or tiles, where at most {most} are supported for its size; save it"
            " again with larger ones."
        )


def _strips_of(tags: dict[int, int]) -> int:
    """Return how many strips or tiles an image is made of."""
    width, length = tags.get(_WIDTH, 0), tags.get(_LENGTH, 0)
    planes = tags.get(_SAMPLES, 1) if tags.get(_PLANAR) == _SEPARATE else 1
    if _STRIP_OFFSETS in tags:
        return planes * _parts(length, tags.get(_ROWS, length))
    return planes * _parts(width, tags.get(_TILE_WIDTH, width)) * _parts(length, tags.get(_TILE_LENGTH, length))


def _parts(whole: int, part: int) -> int:
    return -(-whole // part) if 0 < part < whole else 1


def _number(entry: _Entry, layout: _Layout) -> int:
    """Return the value of a tag, if it is one whole number that lies in its entry; 0 if not."""
    size = _TYPE_BYTES[entry.kind]
    if entry.values != 1 or size > len(entry.stored):
        return 0
    return int.from_bytes(entry.stored[:size], "big" if layout.order == ">" else "little")
