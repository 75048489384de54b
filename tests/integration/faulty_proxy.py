"""Stands between a client and a real service and makes trouble as told, as networks and busy services do."""

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PASSED_ON = ("content-type", "x-api-key", "idempotency-key", "prefer")
PASSED_BACK = ("content-type", "preference-applied", "retry-after")


class Fault(Enum):
    """What happens to one POST."""

    BUSY = "429 with Retry-After: 1, and the service never sees the request"
    AWAY = "503 in HTML, as a load balancer answers"
    LOST = "the service does the work, and the connection breaks before its answer arrives"


class FaultyProxy(ThreadingHTTPServer):
    """The proxy: the faults that the next POSTs meet, the requests that it saw, their keys, and the tasks they made.

    Endpoints whose paths have the ending ``unknown`` are answered 404, as by a service that does not have them.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.service = httpx.Client(base_url=target, timeout=60)
        self.faults: deque[Fault] = deque()
        self.unknown: str | None = None
        self.requests: list[str] = []
        self.keys: list[str] = []
        self.task_ids: list[str] = []  # as the service answered, whether or not the answer arrived


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """Run a proxy to the service at ``target`` while the block runs."""
    with FaultyProxy(target) as proxy, proxy.service:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def do_GET(self) -> None:
        self.server.requests.append(f"GET {self.path.partition('?')[0]}")
        self._pass_on(answer_is_lost=False)

    def do_POST(self) -> None:
        self.server.requests.append(f"POST {self.path}")
        self.server.keys.append(self.headers["Idempotency-Key"])
        if self.server.unknown is not None and self.path.endswith(self.server.unknown):
            self.rfile.read(self._length())
            self._answer(404, {"Content-Type": "application/json"}, b'{"error": "There is nothing here."}')
            return
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault in (Fault.BUSY, Fault.AWAY):
            self.rfile.read(self._length())
        match fault:
            case Fault.BUSY:
                self._answer(429, {"Retry-After": "1"}, b'{"error": "The queue is full."}')
            case Fault.AWAY:
                self._answer(503, {"Content-Type": "text/html"}, b"<h1>Service unavailable</h1>")
            case _:
                self._pass_on(answer_is_lost=fault is Fault.LOST)

    def _pass_on(self, *, answer_is_lost: bool) -> None:
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        body = self.rfile.read(self._length())
        response = self.server.service.request(self.command, self.path, content=body, headers=headers)
        if self.command == "POST" and response.is_success:
            answer = response.json()
            self.server.task_ids += [task["task_id"] for task in answer.get("tasks", [answer])]
        if answer_is_lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        back = {name: response.headers[name] for name in PASSED_BACK if name in response.headers}
        self._answer(response.status_code, back, response.content)

    def _length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""
