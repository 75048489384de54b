"""One decoder's process, as its worker sees it."""

import socket
import time
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import orjson

from store.errors import Unavailable
from workers.companions.channel import Companion
from workers.decoders.messages import MAX_MESSAGE_BYTES, READY, Order, Reply

START_SECONDS = 60.0
STATUS_SECONDS = 5.0  # in which the launcher says how a process ended that has closed its line
MAX_ORDERS = 4000
MAX_BUSY_SECONDS = 300.0


class DecoderEnded(Exception):
    """The process has ended without an answer: ``status`` is its exit status, None if it was out of time."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


class DecoderProcess:
    """A decoder that the launcher has started; to be used by one thread at a time."""

    def __init__(self, control: Connection, line: socket.socket) -> None:
        self._control = control
        self._line = line
        self._orders = 0
        self._busy_seconds = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether it has done enough that a fresh process should take its place."""
        return self._orders >= MAX_ORDERS or self._busy_seconds >= MAX_BUSY_SECONDS

    @classmethod
    def start(cls, launcher: Companion, memory_bytes: int) -> "DecoderProcess":
        """Start a decoder whose address space may grow by ``memory_bytes``; returns when it is ready.

        Raises:
            Unavailable: if that does not work.
        """
        order = {"start": "decoder", "memory_bytes": memory_bytes}
        try:
            control = launcher.begin(orjson.dumps(order))
            line = socket.socket(fileno=recv_handle(control))
            line.settimeout(START_SECONDS)
            greeting = line.recv(len(READY))
        except (OSError, EOFError, RuntimeError) as error:
            raise Unavailable("The worker could not start a process to decode images in.") from error
        if greeting != READY:
            control.close()
            line.close()
            raise Unavailable("A process to decode images in has ended at its start.")
        return cls(control, line)

    def ask(self, order: Order, descriptors: list[int], wall_seconds: float) -> Reply:
        """Return what came of an order; the descriptors are those of its buffers.

        Raises:
            DecoderEnded: if the process ended instead, or took too long, or said what no decoder says.
        """
        self._orders += 1
        started = time.monotonic()
        try:
            self._line.settimeout(wall_seconds)
            socket.send_fds(self._line, [orjson.dumps(order)], descriptors)
            message = self._line.recv(MAX_MESSAGE_BYTES)
        except TimeoutError as error:
            raise DecoderEnded(None) from error
        except OSError:
            message = b""
        self._busy_seconds += time.monotonic() - started
        if not message:
            raise DecoderEnded(self._status())
        try:
            return Reply(**orjson.loads(message))
        except (TypeError, ValueError) as error:
            raise DecoderEnded(0) from error

    def end(self) -> None:
        """Have the launcher end the process, whatever it is doing."""
        self._line.close()
        self._control.close()

    def _status(self) -> int:
        try:
            answer: dict[str, Any] = orjson.loads(self._control.recv_bytes()) if self._is_told() else {}
        except (OSError, EOFError):
            return 0
        return int(answer.get("status", 0))

    def _is_told(self) -> bool:
        return self._control.poll(STATUS_SECONDS)
