"""A receiver of webhooks: a real HTTP server that answers as told, and remembers what it got."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic


@dataclass(frozen=True)
class Message:
    """One request that came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with each of ``statuses`` once, and with the last one from then on; not at all while it ``hangs``."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    got: list[Message] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)
    hangs: bool = False

    def wait_for(self, count: int, seconds: float = 60) -> list[Message]:
        """Return the messages when there are so many."""
        end = monotonic() + seconds
        with self.came:
            while len(self.got) < count:
                assert self.came.wait(end - monotonic()), f"only {len(self.got)} of {count} webhooks came"
            return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.came:
                status = receiver.statuses[min(len(receiver.got), len(receiver.statuses) - 1)]
                receiver.got.append(Message(dict(self.headers.items()), body))
                receiver.came.notify_all()
                receiver.came.wait_for(lambda: not receiver.hangs)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/ended?from=recoq")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        with receiver.came:
            receiver.hangs = False
            receiver.came.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()
