"""Clients that send their requests drop by drop keep nobody else from being answered."""

import socket
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
