"""The head of a JPEG file: its segments before the first scan (ITU-T T.81, annex B).

Pillow parses them in Python, byte by byte where there is filler, takes longer for EXIF than for all else, and gives up
on metadata of which no use is made. So they are walked here, within bounds, and Pillow never gets that metadata.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from inference.errors import ImageError

MAGIC = b"\xff\xd8\xff"
MAX_SEGMENTS = 10_000  # profiles and depth maps of phones take some hundreds
MAX_FILLER_BYTES = 65_536
MAX_TABLE_BYTES = 262_144  # of all that decoders need before the first scan: tables, frames, colours; usual are 700

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))
_APPLICATION = range(0xE0, 0xF0)
_EXIF, _MULTI_PICTURE, _COMMENT = 0xE1, 0xE2, 0xFE
# What decoders take colours from, and how long it is at least.
_COLOURS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Segment(NamedTuple):
    """The place of a segment in its file: ``start`` is that of its marker, ``content`` is behind its length."""

    marker: int
    start: int
    content: int
    end: int


def read_head(data: bytes) -> list[Segment]:
    """Return the segments of a JPEG file up to its first start of scan, or all if there is none.

    Raises:
        ImageError: if there are very many of them, or very much between them.
    """
    segments: list[Segment] = []
    position, filler = 2, 0
    while (found := _MARKER.search(data, position)) is not None:
        start, content = found.span()
        marker = data[content - 1]
        filler += start - position
        if len(segments) == MAX_SEGMENTS or filler > MAX_FILLER_BYTES:
            raise ImageError(
                f"The JPEG image has more than {MAX_SEGMENTS} segments before its pixels, or more than"
                f" {MAX_FILLER_BYTES} bytes between them; save it without metadata."
            )
        position = content
        if marker not in _WITHOUT_LENGTH:
            content += 2
            position += max(2, int.from_bytes(data[position:content], "big"))
        segments.append(Segment(marker, start, content, position))
        if marker == _START_OF_SCAN:
            break
    return segments


def is_complete(data: bytes, head: Sequence[Segment]) -> bool:
    """Tell whether a JPEG file gets to its end marker, whatever follows it.

    The decoder fills what is missing with gray and says nothing, and a thumbnail in the head has an end marker of its
    own: only after a start of scan does the marker mean the end.
    """
    if data.endswith(_END):
        return True
    return bool(head) and head[-1].marker == _START_OF_SCAN and data.find(_END, head[-1].end) >= 0


def exif_of(data: bytes, head: Sequence[Segment]) -> bytes:
    """Return the EXIF block, which may be spread over several segments; empty if there is none."""
    parts = (data[each.content : each.end] for each in head if each.marker == _EXIF)
    return b"".join(part[6:] for part in parts if part.startswith(b"Exif\0\0"))


def has_further_images(data: bytes, head: Sequence[Segment]) -> bool:
    """Tell whether other images stand behind the first one, as phones and stereo cameras write them (CIPA DC-007)."""
    return any(each.marker == _MULTI_PICTURE and data.startswith(b"MPF\0", each.content) for each in head)


def without_metadata(data: bytes, head: Sequence[Segment]) -> bytes:
    """Return the file without what no decoder needs: comments and application data, but for those of colours.

    Raises:
        ImageError: if what is needed takes very many bytes, which Pillow would turn into objects.
    """
    kept = [each for each in head if _is_needed(each, data)]
    nbytes = sum(each.end - each.start for each in kept)
    if nbytes > MAX_TABLE_BYTES:
        raise ImageError(
            f"The JPEG image has tables of {nbytes} bytes, which is over the limit of {MAX_TABLE_BYTES}; save it again."
        )
    if len(kept) == len(head):
        return data
    parts = [data[each.start : each.end] for each in kept]
    return b"".join((data[:2], *parts, memoryview(data)[head[-1].end :]))


def bits_of(data: bytes, head: Sequence[Segment]) -> int | None:
    """Return the bits of a sample, which the start of a frame states; None if there is none."""
    return next((data[each.content] for each in head if each.marker in _FRAMES and each.content < len(data)), None)


def _is_needed(segment: Segment, data: bytes) -> bool:
    if segment.marker in _COLOURS:
        magic, least_bytes = _COLOURS[segment.marker]
        return data.startswith(magic, segment.content) and segment.end - segment.content >= least_bytes
    return segment.marker not in _APPLICATION and segment.marker != _COMMENT
