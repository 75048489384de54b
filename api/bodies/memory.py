"""Bounds the memory that the bodies of all requests of a process take while they arrive and are read.

Thousands of connections are served at once, and each of them may send a body of the largest size: together they would
end the process. What has arrived is counted; the request that goes over the bound is told to come back. The files of
networks are not counted: they pass through to the weight store.
"""

from threading import Lock
from typing import IO, Any

from flask import Flask, Response, g, request

from store.errors import Unavailable


class BodyMemory:
    """A number of bytes that the bodies of a process share; safe to use from many threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._lock = Lock()

    def take(self, nbytes: int) -> None:
        """Count bytes that have arrived.

        Raises:
            Unavailable: if that is more than there is room for.
        """
        with self._lock:
            if self._used_bytes + nbytes > self._budget_bytes:
                raise Unavailable("The service is reading as many bodies as fit in its memory; try again in a moment.")
            self._used_bytes += nbytes

    def give_back(self, nbytes: int) -> None:
        """Count bytes that are not needed any more."""
        with self._lock:
            self._used_bytes -= nbytes


class CountedInput:
    """The body of one request on its way from the server."""

    def __init__(self, stream: IO[bytes], memory: BodyMemory) -> None:
        self._stream = stream
        self._memory = memory
        self._taken_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; counted until ``release``."""
        data = self._stream.read(size)
        self._memory.take(len(data))
        self._taken_bytes += len(data)
        return data

    def release(self) -> None:
        """Count nothing of this body any more."""
        taken, self._taken_bytes = self._taken_bytes, 0
        self._memory.give_back(taken)


def bound_body_memory(app: Flask, budget_bytes: int, upload_path: str) -> None:
    """Make the bodies of ``app`` share so many bytes, but for uploads.

    To be called after whatever lets a request wait before it is answered: a body is not needed any more then.
    """
    memory = BodyMemory(budget_bytes)

    @app.before_request
    def count_body() -> None:
        if request.path.rstrip("/") != upload_path:
            g.counted_input = CountedInput(request.environ["wsgi.input"], memory)
            request.environ["wsgi.input"] = g.counted_input

    @app.after_request
    def forget_body(response: Response) -> Response:
        _release()
        return response

    @app.teardown_request
    def forget_body_of_a_failure(_: Any) -> None:
        _release()


def _release() -> None:
    counted: CountedInput | None = g.get("counted_input")
    if counted is not None:
        counted.release()
