"""A request as gunicorn parses it, held to what RFC 9112 says of bodies and addresses.

``install`` makes gunicorn's parser use it, for which there is no setting.
"""

from typing import Any
from urllib.parse import urlsplit

from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.errors import InvalidRequestLine, UnsupportedTransferCoding
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from api.http1.body_readers import AwaitedBody, FairChunkedReader, WholeLengthReader

MAX_HEAD_BYTES = 64 * 1024  # of all headers, or trailers, of a request; a page of cookies has 4 KiB
MAX_SKIPPED_BYTES = 1024 * 1024  # of a body that nobody has read


def install() -> None:
    """Make every connection of this process read its requests this way."""
    RequestParser.mesg_class = CheckedRequest


class CheckedRequest(Request):  # type: ignore[misc]  # gunicorn has no types
    """One request of a connection."""

    body: Any
    _expected_100_continue: bool
    authority: str | None = None  # of an address in absolute form

    def parse(self, unreader: Any) -> bytes:
        """Read the head, and return what was received of what follows it.

        Raises:
            ParseException: if it is malformed or too long.
        """
        self.max_buffer_headers = MAX_HEAD_BYTES
        unused: bytes = super().parse(unreader)
        return unused

    def parse_request_line(self, line_bytes: bytes) -> None:
        """Read the request line, and the host that an address in absolute form names.

        Raises:
            ParseException: if it is malformed.
        """
        super().parse_request_line(line_bytes)
        if self.uri.startswith(("/", "*")) or self.method == "CONNECT":
            return
        parts = urlsplit(self.uri)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidRequestLine(line_bytes)
        self.authority = parts.netloc

    def parse_headers(self, data: bytes, from_trailer: bool = False) -> list[tuple[str, str]]:
        """Return the headers; Host is that of an address in absolute form (RFC 9112, section 3.2.2).

        Raises:
            ParseException: if they are malformed.
        """
        headers: list[tuple[str, str]] = super().parse_headers(data, from_trailer)
        if self.authority is None or from_trailer:
            return headers
        return [(name, self.authority if name == "HOST" else value) for name, value in headers]

    def set_body_reader(self) -> None:
        """Choose how the body is read.

        Raises:
            ParseException: if where it ends is ambiguous, or its Transfer-Encoding is not chunked alone.
        """
        super().set_body_reader()
        if isinstance(self.body.reader, ChunkedReader):
            codings = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
            if [coding.lower() for coding in codings] != ["chunked"]:
                raise UnsupportedTransferCoding(", ".join(codings))
            reader: Any = FairChunkedReader(self, self.unreader)
        else:
            reader = WholeLengthReader(self.unreader, self.body.reader.length)
        # gunicorn itself would ask for every body, also for one that is refused by its headers.
        awaited, self._expected_100_continue = self._expected_100_continue, False
        self.body = AwaitedBody(reader, self.unreader.sock) if awaited else Body(reader)

    def body_is_read(self) -> bool:
        """Tell whether the next request starts with the next byte of the connection."""
        return self._unread_bytes() == 0

    def should_close(self) -> bool:
        """Tell whether the connection ends with this request.

        It does if the rest of the body is long, or its end unknown: what is skipped there could be anything.
        """
        unread = self._unread_bytes()
        return unread is None or unread > MAX_SKIPPED_BYTES or bool(super().should_close())

    def _unread_bytes(self) -> int | None:
        """Return how much of the body the connection still holds, or None if that cannot be known."""
        if self.body is None or self.body.failed or getattr(self.body, "awaited", False):
            return None
        reader = self.body.reader
        if isinstance(reader, WholeLengthReader):
            return int(reader.length)
        return None if reader.parser else 0
