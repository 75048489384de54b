"""Accounts whose image URLs do not answer keep nobody else waiting, and their own tasks end as they should."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from demo import IMAGES_FOLDER
from store.accounts import Accounts
from store.database import Database
from tests.integration.tasks import ended_task
from tests.service import Service

INFERENCE = "/recognition/public/shapes-v1/inference"
IMAGE = (IMAGES_FOLDER / "star.jpg").read_bytes()
TASKS = 100  # several times what a worker takes at once
SOON_SECONDS = 2.0


class ImageServer(ThreadingHTTPServer):
    """Serves an image at once under ``/image.jpg``, and under ``/slow.jpg`` when it is released."""

    request_queue_size = 2 * TASKS

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.released = threading.Event()
        self.now_waiting = threading.Semaphore(0)


class _Handler(BaseHTTPRequestHandler):
    server: ImageServer

    def do_GET(self) -> None:
        if self.path == "/slow.jpg":
            self.server.now_waiting.release()
            self.server.released.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(len(IMAGE)))
        self.end_headers()
        try:
            self.wfile.write(IMAGE)
        except OSError:
            """Whoever asked did not wait for it."""

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@contextmanager
def client_of(service: Service, account: str) -> Iterator[httpx.Client]:
    """Return a client of an account of this name, whose queue of tasks is not that of the first account."""
    with closing(Database(f"sqlite:///{service.data_folder / 'recoq.db'}")) as database:
        key = Accounts(database).create_key(account, "admin")
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": key}, timeout=30) as client:
        yield client


def submit_url(http: httpx.Client, url: str) -> httpx.Response:
    return http.post(INFERENCE, json={"inputs": [{"image": {"source": url}}]})


def timed(http: httpx.Client, response: httpx.Response) -> tuple[dict[str, Any], float]:
    """Return a task that has ended, and the seconds that this took."""
    began = time.monotonic()
    return ended_task(http, response), time.monotonic() - began


def test_urls_that_hang_keep_no_other_account_waiting(
    service: Service, http: httpx.Client, server: ImageServer
) -> None:
    with client_of(service, "slow") as slow:
        hanging = [submit_url(slow, f"{server.url}/slow.jpg") for _ in range(TASKS)]
        assert server.now_waiting.acquire(timeout=20)
        time.sleep(0.5)  # for the worker to take as many of them as it will
        for _ in range(3):
            sent, seconds = timed(http, http.post(INFERENCE, files={"inputs[0]image.source": ("a.jpg", IMAGE)}))
            assert sent["status"] == "success"
            assert seconds < SOON_SECONDS
            fetched, seconds = timed(http, submit_url(http, f"{server.url}/image.jpg"))
            assert fetched["status"] == "success"
            assert seconds < SOON_SECONDS
        pending = slow.get(
            "/tasks", params={"task_ids": ",".join(each.json()["task_id"] for each in hanging), "limit": 1000}
        )
        assert {task["status"] for task in pending.json()["results"]} == {"pending"}  # all this went past them
        server.released.set()
        tasks = [ended_task(slow, each) for each in hanging]
    assert {task["status"] for task in tasks} == {"success"}
    assert max(task["timing"]["fetch"] for task in tasks) > 500
