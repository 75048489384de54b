"""A PNM file brought into the form that Pillow decodes natively: binary samples of a full range, and a plain header.

Pillow reads comments byte by byte, and numbers and unusual ranges sample by sample, all in Python: thirty megabytes
take seconds, or minutes. Here headers are bounded, and samples are converted as arrays, to the values that Pillow gives
them. Formats: the manual pages pbm, pgm and ppm of netpbm.
"""

import re
from typing import Any, NamedTuple

import numpy as np

from inference.errors import ImageError

MAX_HEADER_BYTES = 65_536
MAX_COMMENTS = 10_000  # among the numbers of a plain file
MAX_VALUE = 65_535

_MAGIC = re.compile(rb"P[0-6fy]")
_SPACE = b" \t\n\v\f\r"
_BETWEEN = rb"[ \t\n\v\f\r](?:[ \t\n\v\f\r]|#[^\r\n]*+[\r\n])*+"
_SIZE = re.compile(rb"P([1-6])" + _BETWEEN + rb"(\d{1,10})" + _BETWEEN + rb"(\d{1,10})")
_MAX = re.compile(_BETWEEN + rb"(\d{1,10})")
_COMMENT = re.compile(rb"#[^\r\n]*+[\r\n]?")
_END_OF_NUMBER = re.compile(rb"\s")
_BLOCK_BYTES = 1 << 18  # of text that is read in one go, during which no other thread runs
_TEXT_ALLOWED = b"0123456789" + _SPACE
_BITMAPS, _PLAIN, _COLOUR, _FLOATING_POINT = b"14", b"123", b"36", b"Pf"
_WHITE = 255

_Array = np.ndarray[Any, np.dtype[Any]]


class _Header(NamedTuple):
    kind: bytes
    width: int
    height: int
    most: int
    end: int

    @property
    def samples(self) -> int:
        return self.width * self.height * (3 if self.kind in _COLOUR else 1)

    def is_native(self) -> bool:
        """Tell whether Pillow decodes such samples without a loop in Python."""
        return self.kind == b"4" or (self.kind == b"5" and self.most == MAX_VALUE) or self._is_of_bytes()

    def _is_of_bytes(self) -> bool:
        return self.kind in b"56" and self.most == _WHITE


def is_pnm(data: bytes) -> bool:
    """Tell whether a file begins like one of the formats that Pillow reads as PNM, its own variants included."""
    return _MAGIC.match(data) is not None


def reduce_pnm(data: bytes) -> bytes:
    """Return a file of the same pixels whose header has no comments, and whose samples are binary and of full range.

    Raises:
        ImageError: for a header that is damaged, unusual or very long, very many comments, and samples that are
            missing or beyond the largest value.
    """
    header = _read_header(data)
    if header.is_native():
        return _with_header(header, memoryview(data)[header.end :], most=header.most, kind=header.kind)
    if header.kind == b"1":
        return _with_header(header, _plain_bits(data, header).tobytes(), most=_WHITE, kind=b"5")
    values = _plain_values(data, header) if header.kind in _PLAIN else _binary_values(data, header)
    return _full_range(header, values)


def _read_header(data: bytes) -> _Header:
    size = _SIZE.match(data, 0, MAX_HEADER_BYTES)
    if size is None:
        raise ImageError(_refusal(data))
    kind, width, height, most, end = size[1], int(size[2]), int(size[3]), 1, size.end()
    if kind not in _BITMAPS:
        found = _MAX.match(data, end, MAX_HEADER_BYTES)
        if found is None or not 0 < int(found[1]) <= MAX_VALUE:
            raise ImageError(_refusal(data))
        most, end = int(found[1]), found.end()
    if not width or not height or data[end : end + 1] not in _SPACE:
        raise ImageError(_refusal(data))
    return _Header(kind, width, height, most, end + 1)


def _refusal(data: bytes) -> str:
    if data.startswith(_FLOATING_POINT):
        return "Images of floating-point pixels are not supported."
    if len(data) > MAX_HEADER_BYTES and _SIZE.match(data[:64]) is None:
        return (
            f"The PNM image has no size in its first {MAX_HEADER_BYTES} bytes, or one that cannot be read; save it"
            " without comments."
        )
    return (
        "The data begins like a PNM image, but its header is truncated, damaged, or of a variant that is not supported"
        " (supported are P1 to P6)."
    )


def _with_header(header: _Header, samples: bytes | memoryview, *, most: int, kind: bytes) -> bytes:
    size = b"P%s\n%d %d\n" % (kind, header.width, header.height)
    return b"".join((size, b"" if kind in _BITMAPS else b"%d\n" % most, samples))


def _full_range(header: _Header, values: _Array) -> bytes:
    """Return a binary file: colours of 8 bits, and gray of 16 where it has more than 8."""
    is_deep = header.most > _WHITE and header.kind not in _COLOUR
    top = MAX_VALUE if is_deep else _WHITE
    table = np.rint(np.arange(header.most + 1) / header.most * top).astype(">u2" if is_deep else np.uint8)
    samples = table[np.minimum(values, header.most)]
    return _with_header(header, samples.tobytes(), most=top, kind=b"6" if header.kind in _COLOUR else b"5")


def _binary_values(data: bytes, header: _Header) -> _Array:
    kind = np.dtype(">u2" if header.most > _WHITE else np.uint8)
    if len(data) - header.end < header.samples * kind.itemsize:
        raise ImageError("The image is truncated.")
    return np.frombuffer(data, kind, header.samples, header.end)


def _plain_bits(data: bytes, header: _Header) -> _Array:
    bits = np.frombuffer(_without_comments(data[header.end :]).translate(None, _SPACE), np.uint8)[: header.samples]
    if len(bits) < header.samples:
        raise ImageError("The image is truncated.")
    if not np.isin(bits, (0x30, 0x31)).all():
        raise ImageError("The PNM image has other characters than 0 and 1 among its pixels.")
    return np.where(bits == 0x30, np.uint8(_WHITE), np.uint8(0))


def _plain_values(data: bytes, header: _Header) -> _Array:
    text, position, found, count = _without_comments(data[header.end :]), 0, list[_Array](), 0
    while count < header.samples and position < len(text):
        end = _end_of_block(text, position)
        block = text[position:end]
        if block.translate(None, _TEXT_ALLOWED):
            raise ImageError("The PNM image has other characters than digits among its samples.")
        numbers = np.fromstring(block, np.int64, sep=" ") if block.strip() else np.zeros(0, np.int64)
        values = numbers[: header.samples - count]
        if values.size and values.max() > header.most:
            raise ImageError(f"The PNM image has a sample of {values.max()}, beyond its largest value, {header.most}.")
        found.append(values.astype(np.uint16))
        count, position = count + values.size, end
    if count < header.samples:
        raise ImageError("The image is truncated.")
    return np.concatenate(found)


def _end_of_block(text: bytes, start: int) -> int:
    """Return where a block ends that splits no number: behind white space, or at the end."""
    found = _END_OF_NUMBER.search(text, start + _BLOCK_BYTES)
    return found.end() if found else len(text)


def _without_comments(text: bytes) -> bytes:
    if text.count(b"#") > MAX_COMMENTS:
        raise ImageError(f"The PNM image has more than {MAX_COMMENTS} comments; save it without.")
    return _COMMENT.sub(b"", text) if b"#" in text else text
