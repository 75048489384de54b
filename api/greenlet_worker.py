"""The gunicorn worker of the API: gevent's, with turns, bounds on each client, and a quick end."""

import contextlib
import errno
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from api.auth import account_of
from api.connections.answers import Answer, Untaken, bound_socket
from api.connections.places import Places
from api.connections.senders import Senders, client_network
from api.connections.turns import Turns, take_turns_with
from api.http1.closing import interrupt, linger, send_refusal
from api.http1.refusals import Crowded, Refusal, refusal_of
from api.request_figures import NO_ENDPOINT, OTHER_METHOD
from api.services import EXTENSION, Services
from store.telemetry.series import REQUESTS

CROWD_LINE_SECONDS = 10.0
FAILURE = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed to answer this request; its log says why.")


@dataclass(frozen=True)
class _Client:
    """One connection, and who is at its other end."""

    socket: Any
    peer: str


class GreenletWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process of the API, with a greenlet for each connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[gevent.Greenlet, _Client] = {}
        self._crowded, self._next_crowd_line = 0, 0.0

    def run(self) -> None:
        """Serve until the process is told to stop."""
        services: Services = self.wsgi.extensions[EXTENSION]
        settings, proxies = services.settings, services.settings.trusted_proxies
        self._turns, self._untaken = Turns(), Untaken()
        self._senders = Senders(proxies, partial(account_of, self.wsgi))
        self._places = Places(settings.api_connections, settings.api_connections_per_client, by_peer=not proxies)
        services.clock.start()
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection until it ends."""
        self._turns.defer()
        bound_socket(client)
        greenlet, known = gevent.getcurrent(), _Client(client, client_network(addr[0]))
        self._clients[greenlet] = known
        try:
            with ExitStack() as stack:
                try:
                    stack.enter_context(self._places.connection(known.peer))
                except Crowded as crowded:
                    self.handle_error(None, client, addr, crowded)
                    client.close()
                    return
                # Not gevent's own step in between, which would let clients stall for ever.
                AsyncWorker.handle(self, listener, client, addr)
        finally:
            del self._clients[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request in its turn, in one piece."""
        sender = self._senders.of(req.headers, addr[0])
        answer = Answer(sock, self._untaken)
        with self._places.request(sender):
            take = partial(self._turns.take, sender.name, sender.part)
            take_turns_with(take)
            take()
            try:
                super().handle_request(listener_name, req, answer, addr)
            except StopIteration:  # the connection is to be closed, with its answer on it
                answer.flush()
                if not req.body_is_read():
                    self._linger(sock)
                raise
            answer.flush()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that the application has not answered, and log one line of it."""
        refusal = refusal_of(exc)
        if isinstance(exc, Crowded):
            self._note_crowd(addr[0], exc)
        elif refusal is None:
            self.log.error("A connection failed", exc_info=exc)
        else:
            self.log.warning("Refused a request from %s: %s", addr[0], refusal.sentence)
        with contextlib.suppress(OSError):
            send_refusal(client, refusal or FAILURE)
        self._linger(client)

    def _note_crowd(self, address: str, crowded: Crowded) -> None:
        """Count a refusal, and log one line of all within some seconds: who sends too much would fill the log."""
        services: Services = self.wsgi.extensions[EXTENSION]
        services.telemetry.tally.count(REQUESTS, NO_ENDPOINT, OTHER_METHOD, str(HTTPStatus.TOO_MANY_REQUESTS.value))
        self._crowded += 1
        if time.monotonic() >= self._next_crowd_line:
            self.log.warning("Refused %d requests, the last from %s: %s", self._crowded, address, crowded)
            self._crowded, self._next_crowd_line = 0, time.monotonic() + CROWD_LINE_SECONDS

    def _linger(self, client: Any) -> None:
        if self.alive:
            with self._places.idle(client, self._clients[gevent.getcurrent()].peer):
                linger(client)

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time until a request has begun; while nothing of it is there, the worker may stop."""
        known = self._clients[gevent.getcurrent()]
        try:
            with self._places.idle(known.socket, known.peer):
                if not self.alive:
                    interrupt(known.socket)
                with super().timeout_ctx():
                    yield
        except OSError as error:
            if self.alive and not isinstance(error, TimeoutError):
                raise
            raise ConnectionResetError(errno.ECONNRESET, "Nothing came.") from error  # which is no news to gunicorn

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Stop: answer those who wait, let go of idle connections, finish the rest."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._let_go)

    def _let_go(self) -> None:
        self.wsgi.extensions[EXTENSION].watch.stop()
        self._places.end_idle()
