"""A client with all the connections that it may have is told to come back, and idle ones make room."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller
from tests.unit.api.servers import running_server
from tests.unit.api.sockets import ANSWER_SECONDS, answers_of, exchange, request

SHARE = 3
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services) -> Iterator[int]:
    """The port of a server of which a client may have three connections."""
    with running_server(api_settings, RECOQ_API_CONNECTIONS_PER_CLIENT=str(SHARE)) as server:
        yield server.port
        server.stop()


def connected(stack: ExitStack, port: int, sent: bytes) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS))
    client.sendall(sent)
    return client


def me(admin: Caller, *headers: str) -> bytes:
    return request("GET", "/v0.7/accounts/me", admin.key, *headers)


def test_client_over_its_share_is_told_to_come_back(port: int, admin: Caller) -> None:
    awaited = request("POST", "/v0.7/recognition/specs", admin.key, JSON, "Content-Length: 2", "Expect: 100-continue")
    with ExitStack() as stack:
        for _ in range(SHARE):
            assert connected(stack, port, awaited).recv(12) == b"HTTP/1.1 100"  # so that it is under way
        answer = exchange(port, me(admin)).only
        assert answer.status == 429
        assert answer.error == f"Your address has {SHARE} connections, and may not have more at once."
        assert "retry-after: 2" in answer.head
        assert "connection: close" in answer.head
    assert exchange(port, me(admin, "Connection: close")).only.status == 200


def test_idle_connections_of_a_client_make_room_for_its_new_ones(port: int, admin: Caller) -> None:
    with ExitStack() as stack:
        clients = []
        for _ in range(3 * SHARE):
            clients.append(connected(stack, port, me(admin)))
            answer = answers_of(clients[-1])
            assert answer.status == 200
            answer.read()
        assert clients[0].recv(1) == b""  # it was closed
        clients[-1].sendall(me(admin))
        assert answers_of(clients[-1]).status == 200


def test_pipelined_requests_are_all_answered_in_order(port: int, admin: Caller) -> None:
    sent = me(admin) * 50 + request("GET", "/v0.7/nothing", admin.key, "Connection: close")
    assert exchange(port, sent).statuses == [200] * 50 + [404]
