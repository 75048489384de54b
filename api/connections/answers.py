"""Sends answers: each in one piece where it is short, and at the pace at which its client takes it, within bounds.

To hand something to the network costs as much as making a short answer does. A client that does not read, or reads
drop by drop, would hold its connection and a long answer for ever.
"""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.http1.closing import interrupt

MOST_BYTES = 64 * 1024  # longer answers go out piece by piece
STALL_SECONDS = 60.0  # how long a client may neither send nor take a byte of what it has begun
SLOWEST_BYTES_PER_SECOND = 10_000
MAX_UNTAKEN_BYTES = 256 * 1024 * 1024  # of the long answers of a process together
SEND_BUFFER_BYTES = 256 * 1024  # what the kernel keeps for a client that does not read; it grows to megabytes by itself


class Untaken:
    """The long answers of a process that their clients are taking.

    Together they have a bound: the one that has been on its way for the longest is ended.
    """

    def __init__(self, max_bytes: int = MAX_UNTAKEN_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes: dict[Any, int] = {}  # by socket, the oldest first
        self._total = 0

    @contextmanager
    def counted(self, client: Any, nbytes: int) -> Iterator[None]:
        """Count an answer of ``nbytes`` while the block sends it."""
        self._bytes[client] = nbytes
        self._total += nbytes
        while self._total > self._max_bytes and next(iter(self._bytes)) is not client:
            self._end(next(iter(self._bytes)))
        try:
            yield
        finally:
            self._total -= self._bytes.pop(client, 0)

    def _end(self, client: Any) -> None:
        self._total -= self._bytes.pop(client)
        interrupt(client, socket.SHUT_RDWR)


class Answer:
    """A client's socket as gunicorn writes the answer to one request to it: head and body wait for each other."""

    def __init__(self, client: socket.socket, untaken: Untaken) -> None:
        self._client = client
        self._untaken = untaken
        self._pieces: list[bytes] = []
        self._nbytes = 0

    def sendall(self, data: bytes) -> None:
        """Send ``data``, at the latest when ``flush`` is called."""
        self._pieces.append(data)
        self._nbytes += len(data)
        if self._nbytes > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what has been gathered.

        Raises:
            ConnectionResetError: if the client does not take it in time.
        """
        data, self._pieces, self._nbytes = b"".join(self._pieces), [], 0
        try:
            if len(data) > MOST_BYTES:
                self._send_long(data)
            elif data:
                self._client.sendall(data)
        except TimeoutError as error:
            # Which is no news to gunicorn.
            raise ConnectionResetError(errno.ECONNRESET, "The client takes no answer.") from error

    def _send_long(self, data: bytes) -> None:
        allowed, began = self._client.gettimeout() or STALL_SECONDS, time.monotonic()
        rest = memoryview(data)
        with self._untaken.counted(self._client, len(data)):
            try:
                while rest:
                    seconds = allowed + (len(data) - len(rest)) / SLOWEST_BYTES_PER_SECOND
                    self._client.settimeout(max(0.001, min(allowed, began + seconds - time.monotonic())))
                    self._client.sendall(rest[:MOST_BYTES])
                    rest = rest[MOST_BYTES:]
            finally:
                self._client.settimeout(allowed)

    def __getattr__(self, name: str) -> Any:
        self.flush()  # what else is done to the socket comes after what was sent before
        return getattr(self._client, name)


def bound_socket(client: socket.socket) -> None:
    """Bound what the kernel keeps, and for how long, for a client that does not read."""
    client.settimeout(STALL_SECONDS)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * STALL_SECONDS))
