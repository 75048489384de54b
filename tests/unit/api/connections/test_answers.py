"""Answers go out in one piece, and in order, whatever else is done to the socket."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from api.connections.answers import MOST_BYTES, SEND_BUFFER_BYTES, Answer, Untaken, bound_socket


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


@pytest.mark.parametrize("nbytes", [50_000, 50_000_000])
def test_client_that_takes_nothing_is_let_go(ends: tuple[Answer, socket.socket], nbytes: int) -> None:
    answer, _ = ends
    answer.settimeout(0.1)

    def send_for_ever() -> None:
        while True:
            answer.sendall(b"." * nbytes)
            answer.flush()

    with pytest.raises(ConnectionResetError):
        send_for_ever()
    assert answer.gettimeout() == 0.1


def test_long_answer_arrives_whole_and_in_order(ends: tuple[Answer, socket.socket]) -> None:
    answer, client = ends
    data = bytes(range(256)) * 40_000
    received = bytearray()

    def read() -> None:
        while block := client.recv(100_000):
            received.extend(block)

    reading = Thread(target=read)
    reading.start()
    answer.sendall(data)
    answer.shutdown(socket.SHUT_WR)
    reading.join(10)
    assert bytes(received) == data


def test_answers_that_nobody_takes_have_a_bound_together() -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    untaken = Untaken(100)
    with untaken.counted(pairs[0][0], 60), untaken.counted(pairs[1][0], 30):
        with untaken.counted(pairs[2][0], 70):
            pairs[0][1].settimeout(1)
            assert pairs[0][1].recv(1) == b""  # the oldest was ended, and that is enough
            pairs[1][1].setblocking(False)
            with pytest.raises(BlockingIOError):
                pairs[1][1].recv(1)
        with untaken.counted(pairs[2][0], 1000):  # one alone may be longer
            pass
    assert untaken._total == 0
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_kernel_keeps_little_for_a_client_that_reads_nothing(ends: tuple[Answer, socket.socket]) -> None:
    ours, _ = ends
    bound_socket(ours)  # type: ignore[arg-type]  # which passes it on
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES
