"""The gunicorn worker of the API: gevent's, with bounds on slow clients and an end that does not wait for idle ones."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from api.gathered_answer import GatheredAnswer
from api.http1.closing import linger, send_refusal
from api.http1.refusals import Refusal, refusal_of
from api.services import EXTENSION

STALL_SECONDS = 60.0  # how long a client may neither send nor take a byte of what it has begun
FAILURE = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed to answer this request; its log says why.")


class GreenletWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process of the API, with a greenlet for each connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[gevent.Greenlet, socket.socket] = {}
        self._idle: set[socket.socket] = set()

    def run(self) -> None:
        """Serve until the end."""
        self.wsgi.extensions[EXTENSION].clock.start()
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection until it ends."""
        client.settimeout(STALL_SECONDS)
        greenlet = gevent.getcurrent()
        self._clients[greenlet] = client
        try:
            # Not gevent's own step in between, which would let clients stall for ever.
            AsyncWorker.handle(self, listener, client, addr)
        finally:
            del self._clients[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request, in one piece."""
        gathered = GatheredAnswer(sock)
        try:
            super().handle_request(listener_name, req, gathered, addr)
        except StopIteration:  # the connection is to be closed, with its answer on it
            gathered.flush()
            if not req.body_is_read():
                self._linger(sock)
            raise
        gathered.flush()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that the application has not answered, and log one line of it."""
        refusal = refusal_of(exc)
        if refusal is None:
            self.log.error("A connection failed", exc_info=exc)
            refusal = FAILURE
        else:
            self.log.warning("Refused a request from %s: %s", addr[0], refusal.sentence)
        with contextlib.suppress(OSError):
            send_refusal(client, refusal)
        self._linger(client)

    def _linger(self, client: socket.socket) -> None:
        self._idle.add(client)
        try:
            if self.alive:
                linger(client)
        finally:
            self._idle.discard(client)

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time until a request has begun; while nothing of it is there, the worker may stop."""
        client = self._clients[gevent.getcurrent()]
        self._idle.add(client)
        try:
            if not self.alive:
                _interrupt(client)
            with super().timeout_ctx():
                yield
        except OSError as error:
            if self.alive and not isinstance(error, TimeoutError):
                raise
            raise ConnectionResetError(errno.ECONNRESET, "Nothing came.") from error  # which is no news to gunicorn
        finally:
            self._idle.discard(client)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Stop: answer those who wait, let go of idle connections, finish the rest."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._let_go)

    def _let_go(self) -> None:
        self.wsgi.extensions[EXTENSION].watch.stop()
        for client in tuple(self._idle):
            _interrupt(client)


def _interrupt(client: socket.socket) -> None:
    """Have the greenlet that reads from this client fail."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RD)
