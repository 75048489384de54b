"""The sizes of files in boxes (ISO/IEC 14496-12): HEIC and AVIF, JPEG 2000 and JPEG XL; also without their boxes."""

from collections.abc import Iterator
from struct import Struct

from contract.image_heads.head import Codec, ImageHead

_MAX_BOXES = 256
_BOX = Struct(">I4s")
_EXTENDED = Struct(">Q")
_IMAGE_SIZE = Struct(">4xII")  # after version and flags
_JP2_HEADER = Struct(">IIHB")  # height, width, components, bits of a sample less one
_JP2_SIZE = Struct(">IIII")  # of the grid, then of what is left out before the image
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_JXL_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_SIDE_BITS = (9, 13, 18, 30)

_Content = bytes | memoryview


def read_boxes(content: _Content) -> ImageHead | None:
    """Return the head of a file whose first box says what it is; None if it is of no known kind."""
    kind = bytes(content[4:8])
    if kind == b"ftyp":
        return _read_heif(content)
    if kind == b"jP  ":
        return _read_jp2(content)
    return _read_jxl_box(content) if kind == b"JXL " else None


def read_codestream_2000(content: _Content) -> ImageHead | None:
    """Return the head of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A.5.1)."""
    if len(content) < 43:
        return None
    right, bottom, left, top = _JP2_SIZE.unpack_from(content, 8)
    width, height = max(0, right - left), max(0, bottom - top)
    components = int.from_bytes(content[40:42], "big")
    return ImageHead(Codec.JPEG_2000, width, height, 8 * components, width * height)


def read_codestream_xl(content: _Content) -> ImageHead | None:
    """Return the head of a JPEG XL codestream (ISO/IEC 18181-1, SizeHeader)."""
    bits = _Bits(int.from_bytes(content[2:14], "little"))
    is_small = bits.take(1) == 1
    height = _xl_side(bits, is_small=is_small)
    up, down = _JXL_RATIOS[bits.take(3)]
    width = height * up // down if up else _xl_side(bits, is_small=is_small)
    return ImageHead(Codec.JPEG_XL, width, height, 24, width * height)


class _Bits:
    def __init__(self, bits: int) -> None:
        self._bits = bits

    def take(self, count: int) -> int:
        taken = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return taken


def _xl_side(bits: _Bits, *, is_small: bool) -> int:
    return 8 * (1 + bits.take(5)) if is_small else 1 + bits.take(_JXL_SIDE_BITS[bits.take(2)])


def _boxes(content: _Content, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, the start and the end of the content of each box; a bounded number of them."""
    for _ in range(_MAX_BOXES):
        if start + _BOX.size > end:
            return
        length, kind = _BOX.unpack_from(content, start)
        content_start = start + _BOX.size
        if length == 1 and content_start + _EXTENDED.size <= end:
            (length,) = _EXTENDED.unpack_from(content, content_start)
            content_start += _EXTENDED.size
        stop = min(end, start + length) if length else end
        if stop < content_start:
            return
        yield kind, content_start, stop
        start = stop


def _inside(content: _Content, path: tuple[bytes, ...], *, skipped: dict[bytes, int]) -> tuple[int, int]:
    """Return where the content of the first box of a path lies; an empty place if there is none."""
    start, end = 0, len(content)
    for kind in path:
        found = next((each for each in _boxes(content, start, end) if each[0] == kind), None)
        if found is None:
            return 0, 0
        start, end = found[1] + skipped.get(kind, 0), found[2]
    return start, end


def _read_heif(content: _Content) -> ImageHead | None:
    """Return the largest image of a HEIF file, which is the one that its tiles make (ISO/IEC 23008-12, 6.5.3)."""
    start, end = _inside(content, (b"meta", b"iprp", b"ipco"), skipped={b"meta": 4})
    places = [at for kind, at, stop in _boxes(content, start, end) if kind == b"ispe" and stop - at == _IMAGE_SIZE.size]
    sizes = [_IMAGE_SIZE.unpack_from(content, at) for at in places]
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    brands = {bytes(content[at : at + 4]) for at in range(8, min(len(content), 64), 4)}
    codec = Codec.AVIF if brands & _AVIF_BRANDS else Codec.HEIC
    return ImageHead(codec, width, height, 24, width * height)


def _read_jp2(content: _Content) -> ImageHead | None:
    start, end = _inside(content, (b"jp2h", b"ihdr"), skipped={})
    if end - start < _JP2_HEADER.size:
        return None
    height, width, components, _ = _JP2_HEADER.unpack_from(content, start)
    return ImageHead(Codec.JPEG_2000, width, height, 8 * components, width * height)


def _read_jxl_box(content: _Content) -> ImageHead | None:
    for kind, start, end in _boxes(content, 0, len(content)):
        if kind in (b"jxlc", b"jxlp"):
            return read_codestream_xl(content[start + 4 * (kind == b"jxlp") : min(end, start + 64)])
    return None
