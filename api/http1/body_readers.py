"""Reads bodies to the end that they announce, and in turns with what other connections do.

gunicorn's readers take the end of a connection for the end of a body, and ask the socket for more until they have what
the application wants: a client that sends fast in chunks of one byte keeps one in that loop for seconds, in which no
other connection is served and none of gevent's timeouts fires.
"""

import time
from typing import Any

import gevent
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

TURN_SECONDS = 0.005  # how long one body is parsed before others have their turn
MAX_CHUNK_BYTES = 2**48


class BodyCutOff(NoMoreData):  # type: ignore[misc]  # gunicorn has no types
    """The connection ended ``missing_bytes`` before the Content-Length."""

    def __init__(self, missing_bytes: int) -> None:
        super().__init__()
        self.missing_bytes = missing_bytes


class WholeLengthReader(LengthReader):  # type: ignore[misc]  # gunicorn has no types
    """A body with a Content-Length."""

    def read(self, size: int) -> Any:
        """Return ``size`` bytes of the body, fewer at its end.

        Raises:
            BodyCutOff: if the connection ends before that.
        """
        expected = min(size, self.length)
        data = super().read(size)
        if len(data) < expected:
            raise BodyCutOff(self.length + expected - len(data))
        return data


class FairChunkedReader(ChunkedReader):  # type: ignore[misc]  # gunicorn has no types
    """A chunked body."""

    def __init__(self, req: Any, unreader: Any) -> None:
        super().__init__(req, unreader)
        self._turn_began = time.monotonic()

    def parse_chunk_size(self, unreader: Any, data: Any = None) -> Any:
        """Return the size of the next chunk, and what was received of it.

        Raises:
            ParseException: if the frame is broken.
            NoMoreData: if the body ends here.
        """
        if time.monotonic() - self._turn_began > TURN_SECONDS:
            gevent.sleep(0)
            self._turn_began = time.monotonic()
        size, rest = super().parse_chunk_size(unreader, data)
        if size > MAX_CHUNK_BYTES:
            raise InvalidChunkSize(f"{size:x}")
        return size, rest
