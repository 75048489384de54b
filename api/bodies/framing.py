"""Answers bodies that do not arrive whole by what is wrong with them: broken chunks, connections that end early."""

import logging
from typing import IO

from flask import Flask, request

from api.errors import InvalidRequest, request_line
from api.http1.refusals import BROKEN_BODY, what_is_broken

log = logging.getLogger(__name__)


class FramedInput:
    """The body of one request on its way from the server."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, none at the end of the body.

        Raises:
            InvalidRequest: if the body is broken, or ends too early.
        """
        try:
            return self._stream.read(size)
        except BROKEN_BODY as error:
            sentence = what_is_broken(error)
            log.warning("%s: %s", request_line(), sentence)
            raise InvalidRequest(sentence) from error


def require_whole_bodies(app: Flask) -> None:
    """Make ``app`` refuse bodies that do not arrive whole. To be called before all else that reads them."""

    @app.before_request
    def frame_body() -> None:
        request.environ["wsgi.input"] = FramedInput(request.environ["wsgi.input"])
