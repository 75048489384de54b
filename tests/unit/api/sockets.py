"""Sends a server bytes that no HTTP client would send, and reads what comes back until the server has closed."""

import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 60.0
HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [A-Z]")


@dataclass(frozen=True)
class Answers:
    """All that a server sent on one connection, which it has closed."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in HEAD.findall(self.data)]

    @property
    def only(self) -> "Answer":
        """The answer; there must not be another one behind it."""
        first, *others = self.statuses
        assert not others, self.data
        head, _, body = self.data.partition(b"\r\n\r\n")
        return Answer(first, head.decode("latin-1").lower(), body)


@dataclass(frozen=True)
class Answer:
    status: int
    head: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        sentence: str = self.json["error"]
        return sentence


def exchange(port: int, sent: bytes, *, end: bool = False) -> Answers:
    """Return what the server answers to ``sent`` until it closes; with ``end``, nothing more is said to come."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        connection.sendall(sent)
        if end:
            connection.shutdown(socket.SHUT_WR)
        while block := connection.recv(65536):
            received += block
    return Answers(received)


def request(method: str, path: str, key: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request with a key and these headers; where the body ends, they have to say."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-API-KEY: {key}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def answers_of(connection: socket.socket) -> http.client.HTTPResponse:
    """Return the next answer on a connection that stays open."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response
