"""Ends requests whose bodies arrive too slowly to be meant.

A client that sends a byte a minute never stalls for long enough to be noticed by the server, and would hold its
connection, and what it has sent, for months. A body has a while to arrive, and longer the more of it there is.
"""

import time
from typing import IO

import gevent
from flask import Flask, request
from werkzeug.exceptions import RequestTimeout

SLOWEST_BYTES_PER_SECOND = 10_000
PIECE_BYTES = 64 * 1024


class PacedInput:
    """The body of one request on its way from the server."""

    def __init__(self, stream: IO[bytes], seconds: float) -> None:
        self._stream = stream
        self._deadline = time.monotonic() + seconds

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            RequestTimeout: once the body has taken longer than its size allows.
        """
        # The server waits until all that is asked for is there, which may come at the slowest pace as well.
        piece_seconds = min(max(size, 0), PIECE_BYTES) / SLOWEST_BYTES_PER_SECOND
        with gevent.Timeout(max(0.0, self._deadline + piece_seconds - time.monotonic()), RequestTimeout()):
            data = self._stream.read(size)
        self._deadline += len(data) / SLOWEST_BYTES_PER_SECOND
        return data


def bound_body_time(app: Flask, seconds: float) -> None:
    """Give every body of ``app`` so many seconds to arrive, and more for what has arrived."""

    @app.before_request
    def pace_body() -> None:
        request.environ["wsgi.input"] = PacedInput(request.environ["wsgi.input"], seconds)
