"""Clients that send their requests drop by drop keep nobody else from being answered."""

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller
from tests.unit.api.servers import running_server

CLIENTS = 300
ANSWER_SECONDS = 10.0

BEGUN_HEADERS = b"GET /v0.7/tasks/1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BEGUN_BODY = (
    b"POST /v0.7/recognition/specs HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: %s\r\n"
    b'Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"name": '
)


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services) -> Iterator[int]:
    with running_server(api_settings) as server:
        yield server.port


@pytest.mark.parametrize("begun", [BEGUN_HEADERS, BEGUN_BODY], ids=["headers", "body"])
def test_slow_clients_keep_nobody_from_being_answered(port: int, admin: Caller, begun: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS))
            slow.sendall(begun % admin.key.encode() if b"%s" in begun else begun)
        for _ in range(10):
            answer = httpx.get(
                f"http://127.0.0.1:{port}/v0.7/accounts/me",
                headers={"X-API-KEY": admin.key},
                timeout=ANSWER_SECONDS,
            )
            assert answer.status_code == 200


@pytest.fixture(scope="module")
def impatient_port(api_settings: Settings, services: Services) -> Iterator[int]:
    """The port of a server that gives a body one second."""
    with running_server(api_settings, RECOQ_BODY_SECONDS="1") as server:
        yield server.port


@pytest.mark.parametrize("path", [b"/v0.7/recognition/specs", b"/v0.7/networks"])
def test_a_body_that_arrives_drop_by_drop_is_ended(impatient_port: int, admin: Caller, path: bytes) -> None:
    begun = BEGUN_BODY.replace(b"/v0.7/recognition/specs", path)
    if path.endswith(b"networks"):
        begun = begun.replace(b"application/json", b"multipart/form-data; boundary=B")
    with socket.create_connection(("127.0.0.1", impatient_port), ANSWER_SECONDS) as slow:
        slow.sendall(begun % admin.key.encode())
        slow.settimeout(0.05)
        answer = b""
        deadline = time.monotonic() + 3 * ANSWER_SECONDS
        while not answer.endswith(b"}") and time.monotonic() < deadline:
            if not answer:
                slow.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer += slow.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"took too long to arrive" in answer


def test_a_body_that_keeps_its_pace_is_read_however_long_it_takes(impatient_port: int, admin: Caller) -> None:
    body = b'{"name": "x", "outputs": [], "description": "' + b"y" * 60_000 + b'"}'
    head = BEGUN_BODY.split(b'{"name"')[0].replace(b"1000000", b"%d") % (admin.key.encode(), len(body))
    with socket.create_connection(("127.0.0.1", impatient_port), ANSWER_SECONDS) as slow:
        slow.sendall(head)
        for start in range(0, len(body), 20_000):  # two seconds, one of them for its size
            slow.sendall(body[start : start + 20_000])
            time.sleep(0.5)
        answer = slow.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"outputs" in answer
