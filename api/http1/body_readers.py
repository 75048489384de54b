"""Reads bodies to the end that they announce, and in turns with what other connections do.

gunicorn's readers take the end of a connection for the end of a body, and ask the socket for more until they have what
the application wants: a client that sends fast in chunks of one byte keeps one in that loop for seconds, in which no
other connection is served and none of gevent's timeouts fires.
"""

from typing import Any

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from api.connections.turns import Slices

MAX_CHUNK_BYTES = 2**48


class BodyCutOff(NoMoreData):  # type: ignore[misc]  # gunicorn has no types
    """The connection ended ``missing_bytes`` before the Content-Length."""

    def __init__(self, missing_bytes: int) -> None:
        super().__init__()
        self.missing_bytes = missing_bytes


class WholeLengthReader(LengthReader):  # type: ignore[misc]  # gunicorn has no types
    """A body with a Content-Length."""

    def __init__(self, unreader: Any, length: int) -> None:
        super().__init__(unreader, length)
        self._slices = Slices()

    def read(self, size: int) -> Any:
        """Return ``size`` bytes of the body, fewer at its end.

        Raises:
            BodyCutOff: if the connection ends before that.
        """
        if self.length == 0 or size == 0:
            return b""
        self._slices.pause()
        expected = min(size, self.length)
        # Without reading ahead, which copies what is there of a large body each time that a little of it is wanted.
        data = self.unreader.read(expected)
        if len(data) < expected:
            raise BodyCutOff(self.length - len(data))
        self.length -= expected
        return data


class FairChunkedReader(ChunkedReader):  # type: ignore[misc]  # gunicorn has no types
    """A chunked body."""

    def __init__(self, req: Any, unreader: Any) -> None:
        super().__init__(req, unreader)
        self._slices = Slices()

    def parse_chunk_size(self, unreader: Any, data: Any = None) -> Any:
        """Return the size of the next chunk, and what was received of it.

        Raises:
            ParseException: if the frame is broken.
            NoMoreData: if the body ends here.
        """
        self._slices.pause()
        size, rest = super().parse_chunk_size(unreader, data)
        if size > MAX_CHUNK_BYTES:
            raise InvalidChunkSize(f"{size:x}")
        return size, rest


class AwaitedBody(Body):  # type: ignore[misc]  # gunicorn has no types
    """A body that its client sends once it is asked for it (``Expect: 100-continue``): when it is first read."""

    def __init__(self, reader: Any, client: Any) -> None:
        super().__init__(reader)
        self._client = client
        self.awaited = True

    def _read_reader(self, size: int) -> Any:
        if self.awaited:
            self.awaited = False
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return super()._read_reader(size)
