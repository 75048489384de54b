"""Sends an answer in one piece: to hand something to the network costs as much as making a short answer does."""

import socket
from typing import Any

MOST_BYTES = 64 * 1024  # longer answers go out piece by piece


class GatheredAnswer:
    """A client's socket as gunicorn writes the answer to one request to it: head and body wait for each other."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._pieces: list[bytes] = []
        self._nbytes = 0

    def sendall(self, data: bytes) -> None:
        """Send ``data``, at the latest when ``flush`` is called."""
        self._pieces.append(data)
        self._nbytes += len(data)
        if self._nbytes > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what has been gathered."""
        data, self._pieces, self._nbytes = b"".join(self._pieces), [], 0
        if data:
            self._client.sendall(data)

    def __getattr__(self, name: str) -> Any:
        self.flush()  # what else is done to the socket comes after what was sent before
        return getattr(self._client, name)
