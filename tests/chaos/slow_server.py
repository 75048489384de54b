"""A server of images that answers when it is told to, so that tasks are under way for as long as a test wants."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.chaos.fleet import IMAGES

MOST_SECONDS = 60


class SlowServer:
    """Holds all requests until ``release``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    def wait(self) -> None:
        self._released.wait(MOST_SECONDS)


@contextmanager
def slow_server() -> Iterator[SlowServer]:
    """Run a server while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            slow.wait()
            self.send_response(200)
            self.send_header("Content-Length", str(len(IMAGES[0])))
            self.end_headers()
            try:
                self.wfile.write(IMAGES[0])
            except OSError:
                """Whoever asked is dead by now: that is what the tests are about."""

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        slow = SlowServer(f"http://127.0.0.1:{server.server_port}/image.jpg")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield slow
        slow.release()
        server.shutdown()
        thread.join()
