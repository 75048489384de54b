"""Reads ``multipart/form-data`` part by part, so that gigabytes pass through without being held or written twice.

Werkzeug's own form parser replaces bytes that are not UTF-8 in text parts; images may be sent in those.
"""

import io
import re
from collections.abc import Iterator
from typing import IO, Any, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, MultipartDecoder, NeedData, State

from api.bodies.boundaries import Boundary
from api.bodies.encodings import require_plain_body, require_plain_part
from api.bodies.part_heads import PartHead, head_end, read_head
from api.connections.turns import Slices
from api.errors import WHOLE_BODY, InvalidRequest

CHUNK_BYTES = 256 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_PARTS = 20_000
REPLACEMENT = "\ufffd"  # of bytes that are not UTF-8
NOT_UTF_8 = "A field name of the form is not UTF-8."


class IncomingPart(io.RawIOBase):
    """One part while it arrives; readable once, and only until the next part is asked for."""

    def __init__(self, name: str, head: PartHead, events: Iterator[Event]) -> None:
        self.name = name
        self.filename = head.filename
        self.content_type = head.content_type
        self._events = events
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Say that this stream can be read."""
        return True

    def _next_data(self) -> bytes:
        """Return some bytes of this part, or none when it has ended."""
        while not self._ended:
            event = next(self._events, None)
            if not isinstance(event, Data):
                self._ended = True
                break
            self._ended = not event.more_data
            if event.data:
                return event.data
        return b""

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with the next bytes and return their number, 0 at the end."""
        target = memoryview(buffer).cast("B")
        if not self._left:
            self._left = memoryview(self._next_data())
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def whole(self, at_most: int | None = None) -> bytes:
        """Return all bytes of the part, which has not been read from yet.

        Raises:
            InvalidRequest: if they are more than ``at_most``.
        """
        chunks, length = [], 0
        for chunk in iter(self._next_data, b""):
            length += len(chunk)
            if at_most is not None and length > at_most:
                raise InvalidRequest(f"The part {self.name!r} is too large.")
            chunks.append(chunk)
        return b"".join(chunks)


def incoming_parts(request: Request) -> Iterator[IncomingPart]:
    """Yield the parts of a multipart request in their order; a part not read to its end is skipped.

    Raises:
        InvalidRequest: if the body is not multipart, or has too many parts or too long a header of one.
        UnsupportedEncoding: if it is compressed.
        RequestEntityTooLarge: past ``request.max_content_length``.
    """
    require_plain_body(request)
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise InvalidRequest("The Content-Type of a multipart body must name its boundary.")
    events = _events(request.stream, boundary.encode())
    for event in events:
        if isinstance(event, PartHead):
            yield IncomingPart(_checked_name(event), event, events)


def _checked_name(head: PartHead) -> str:
    if head.name is None:
        raise InvalidRequest("A part of the multipart body has no name.")
    if REPLACEMENT in head.name:
        raise InvalidRequest(NOT_UTF_8, {WHOLE_BODY: [NOT_UTF_8]})
    require_plain_part(head.name, head.headers)
    return head.name


class _Decoder(MultipartDecoder):
    """Werkzeug's decoder, with heads of parts that are read fast and may be in any encoding."""

    def next_event(self) -> Event:
        """Return what comes next, ``NeedData`` if it has not been received yet.

        Raises:
            ValueError: if the body is broken.
            RequestEntityTooLarge: if it has too many parts.
        """
        return self._next_head() if self.state is State.PART else super().next_event()

    def _next_head(self) -> Event:
        ends = head_end(self.buffer, self._search_position)
        if ends is None:
            if self.complete:
                raise ValueError("The body ends in the head of a part.")
            self._search_position = max(0, len(self.buffer) - len("\r\n\r\n"))
            return NeedData()
        end, empty_line = ends
        head = read_head(bytes(self.buffer[:end]))
        del self.buffer[:empty_line]
        self.state, self._search_position = State.DATA_START, 0
        self._parts_decoded += 1
        if self._parts_decoded > MAX_PARTS:
            raise RequestEntityTooLarge
        return head


def _events(stream: IO[bytes], boundary: bytes) -> Iterator[Event]:
    limit = CHUNK_BYTES + MAX_HEADER_BYTES
    decoder = _Decoder(b"", max_form_memory_size=limit)
    decoder.boundary = boundary
    # Werkzeug's own patterns take lone CR and LF before a boundary too; RFC 2046 wants CRLF, but before the first one.
    decoder.preamble_re = cast(re.Pattern[bytes], Boundary(b"--" + boundary))
    decoder.boundary_re = cast(re.Pattern[bytes], Boundary(b"\r\n--" + boundary))
    slices = Slices()
    while True:
        _receive(decoder, stream.read(CHUNK_BYTES))
        while not isinstance(event := _next_event(decoder), NeedData):
            if isinstance(event, Epilogue):
                return
            yield event
            slices.pause()
        slices.pause()


def _receive(decoder: MultipartDecoder, data: bytes) -> None:
    try:
        decoder.receive_data(data or None)
    except RequestEntityTooLarge as error:
        raise InvalidRequest("A part of the multipart body has too long a header.") from error


def _next_event(decoder: MultipartDecoder) -> Event:
    try:
        return decoder.next_event()
    except RequestEntityTooLarge as error:
        raise InvalidRequest(f"A multipart body may have at most {MAX_PARTS} parts.") from error
    except ValueError as error:
        raise InvalidRequest("The multipart body is broken or ends too early.") from error
