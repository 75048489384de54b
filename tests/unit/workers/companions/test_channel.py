"""A worker and its companions: questions side by side, answers of any size, and an end that both notice."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import pytest

from workers.companions.channel import Companion, CompanionGone, Handler, answer_questions

LARGE = 32 * 1024 * 1024
WAIT_SECONDS = 10


def serving(handle: Handler) -> tuple[Companion, threading.Thread]:
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            answer_questions(theirs, handle)

    thread = threading.Thread(target=serve)
    thread.start()
    return Companion("echo", ours), thread


@pytest.fixture
def echo() -> Iterator[Companion]:
    companion, thread = serving(lambda question, _: question)
    yield companion
    companion.close()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def test_a_question_is_answered(echo: Companion) -> None:
    assert echo.ask(b"what?") == b"what?"
    assert echo.ask(b"") == b""


def test_an_answer_may_be_as_large_as_an_image(echo: Companion) -> None:
    assert len(echo.ask(bytes(LARGE))) == LARGE


def test_questions_are_answered_side_by_side() -> None:
    both = threading.Barrier(2)

    def meet(question: bytes, _: Connection) -> bytes:
        both.wait(WAIT_SECONDS)
        return question

    companion, _ = serving(meet)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(companion.ask, (b"1", b"2"))) == [b"1", b"2"]
    companion.close()


def test_a_companion_that_fails_says_so_and_answers_the_next(caplog: pytest.LogCaptureFixture) -> None:
    def handle(question: bytes, _: Connection) -> bytes:
        return question.decode("ascii").encode()

    companion, _ = serving(handle)
    with pytest.raises(CompanionGone, match="echo"):
        companion.ask(b"\xff")
    assert "could not be answered" in caplog.text
    assert companion.ask(b"a") == b"a"
    companion.close()


def test_a_companion_that_has_ended_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    companion = Companion("gone", ours)
    waiting = threading.Thread(target=companion.wait_for_end)
    waiting.start()
    theirs.close()
    waiting.join(WAIT_SECONDS)
    assert not waiting.is_alive()
    with pytest.raises(CompanionGone, match="gone"):
        companion.ask(b"what?")
    companion.close()


def test_a_companion_notices_that_nobody_waits_any_more() -> None:
    noticed = threading.Event()

    def wait(_: bytes, asking: Connection) -> bytes:
        if asking.poll(WAIT_SECONDS):
            noticed.set()
        return b""

    companion, _ = serving(wait)
    companion.begin(b"what?").close()
    assert noticed.wait(WAIT_SECONDS)
    companion.close()
