"""Answers go out in one piece, and in order, whatever else is done to the socket."""

import socket
from collections.abc import Iterator

import pytest

from api.connections.answers import MOST_BYTES, Answer, Untaken


@pytest.fixture
def ends() -> Iterator[tuple[Answer, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        theirs.settimeout(10)
        yield Answer(ours, Untaken()), theirs


def test_head_and_body_arrive_together(ends: tuple[Answer, socket.socket]) -> None:
    answer, client = ends
    answer.sendall(b"head ")
    answer.sendall(b"body")
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)
    answer.flush()
    assert client.recv(100) == b"head body"


def test_long_answers_are_not_held_back(ends: tuple[Answer, socket.socket]) -> None:
    answer, client = ends
    answer.sendall(b"." * (MOST_BYTES + 1))
    assert client.recv(1) == b"."


def test_what_was_sent_comes_before_what_is_done_next(ends: tuple[Answer, socket.socket]) -> None:
    answer, client = ends
    answer.sendall(b"last words")
    answer.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b"last words"
    assert client.recv(100) == b""
