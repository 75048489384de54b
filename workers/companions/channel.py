"""How a worker asks its companions: each question has a socket pair of its own, whose other end it hands over.

So questions need no numbers, threads ask side by side, and whoever is gone is noticed by the other end of its pair.
Messages are bytes; nothing is unpickled.
"""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

logger = logging.getLogger(__name__)

Handler = Callable[[bytes, Connection], bytes]
"""Takes a question and the connection to the one who asked; returns the answer."""

_TICKET = b"?"  # a descriptor travels with at least one byte


class CompanionGone(Exception):
    """The companion has ended, or failed while it dealt with the question."""


class Companion:
    """A worker's end of the line to one companion; safe to share between threads."""

    def __init__(self, name: str, line: socket.socket) -> None:
        self.name = name
        self._line = line

    def ask(self, question: bytes) -> bytes:
        """Return the answer, however long it takes: companions keep deadlines of their own.

        Raises:
            CompanionGone: if there is none.
        """
        try:
            with self.begin(question) as connection:
                return connection.recv_bytes()
        except (OSError, EOFError) as error:
            raise CompanionGone(f"The process called {self.name} has ended or failed.") from error

    def begin(self, question: bytes) -> Connection:
        """Ask, and return the connection on which the answer comes; closing it takes the question back.

        Raises:
            OSError: if the companion is not there any more.
        """
        ours, theirs = socket.socketpair()
        connection = Connection(ours.detach())
        try:
            with theirs:
                socket.send_fds(self._line, [_TICKET], [theirs.fileno()])
            connection.send_bytes(question)
        except OSError:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let the companion end; a question that it is dealing with gets no answer."""
        self._line.close()

    def wait_for_end(self) -> None:
        """Return when the companion has ended; it says nothing on this line itself."""
        with suppress(OSError):
            self._line.recv(1)


def answer_questions(line: socket.socket, handle: Handler) -> None:
    """Answer the questions of a worker, each in a thread, until the worker has ended."""
    while True:
        ticket, descriptors, *_ = socket.recv_fds(line, len(_TICKET), 1)
        if not ticket:
            return
        for descriptor in descriptors:
            connection = Connection(descriptor)
            try:
                threading.Thread(target=_answer, args=(connection, handle), daemon=True).start()
            except RuntimeError:  # the system gives no more threads: whoever asked is told by the end of its line
                connection.close()


def _answer(connection: Connection, handle: Handler) -> None:
    with connection, suppress(OSError, EOFError):  # nobody is waiting any more
        question = connection.recv_bytes()
        try:
            answer = handle(question, connection)
        except Exception:
            logger.exception("A question of the worker could not be answered.")
            return
        connection.send_bytes(answer)
