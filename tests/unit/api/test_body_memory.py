"""The bodies of all requests together stay within a number of bytes, whatever becomes of them."""

import io
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from flask import Flask

from api.app import create_app
from api.bodies.memory import BodyMemory, CountedInput
from api.services import Services
from config.settings import Settings
from store.errors import Unavailable
from tests.unit.api.callers import Caller
from tests.unit.api.servers import START_SECONDS, running_server

BUDGET_BYTES = 100_000
SMALL = b'{"name": "' + b"x" * 10_000


@pytest.fixture
def small_app(api_settings: Settings, services: Services) -> Flask:
    return create_app(replace(api_settings, body_memory_bytes=BUDGET_BYTES), services)


@pytest.fixture
def caller(small_app: Flask, admin: Caller) -> Caller:
    return Caller(small_app.test_client(), admin.key)


def test_bodies_share_the_bytes_that_have_arrived() -> None:
    memory = BodyMemory(10)
    first, second = (CountedInput(io.BytesIO(bytes(8)), memory) for _ in range(2))
    assert first.read(8) == bytes(8)
    with pytest.raises(Unavailable, match="try again"):
        second.read(8)
    second.release()
    first.release()
    first.release()
    third = CountedInput(io.BytesIO(bytes(10)), memory)
    assert len(third.read()) == 10


def test_a_body_over_the_budget_is_told_to_come_back(caller: Caller) -> None:
    answer = caller.post("/recognition/specs", data=bytes(BUDGET_BYTES + 1), content_type="application/json")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "try again" in answer.get_json()["error"]


@pytest.mark.parametrize(
    "options",
    [
        {"data": SMALL, "content_type": "application/json"},
        {"data": {"name": "x" * 10_000, "outputs": "nonsense"}},
        {"json": {"name": "x", "description": "y" * 10_000, "outputs": []}},
    ],
    ids=["broken JSON", "a form that is not valid", "JSON that is not valid"],
)
def test_what_was_read_is_given_back_whatever_became_of_it(caller: Caller, options: dict[str, Any]) -> None:
    for _ in range(3 * BUDGET_BYTES // 10_000):
        assert caller.post("/recognition/specs", **options).status_code == 400


def test_uploads_are_not_counted(caller: Caller) -> None:
    assert caller.upload({"model.pt2": b"PK\x03\x04" + bytes(2 * BUDGET_BYTES)}).status_code == 201


@pytest.fixture
def url(api_settings: Settings, services: Services) -> Iterator[tuple[str, int]]:
    with running_server(api_settings, RECOQ_BODY_MEMORY_BYTES=str(BUDGET_BYTES)) as server:
        yield server.url, server.port


def test_a_client_that_goes_away_gives_back_what_it_had_sent(url: tuple[str, int], admin: Caller) -> None:
    address, port = url
    head = f"POST /v0.7/recognition/specs HTTP/1.1\r\nHost: x\r\nX-API-KEY: {admin.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), START_SECONDS) as connection:
            connection.sendall(head.encode() + bytes(80_000))
    body = {"name": "x", "description": "y" * 60_000, "outputs": []}
    answers = [httpx.post(f"{address}/recognition/specs", json=body, headers={"X-API-KEY": admin.key})]
    while answers[-1].status_code == 503 and len(answers) < 50:
        answers.append(httpx.post(f"{address}/recognition/specs", json=body, headers={"X-API-KEY": admin.key}))
    assert answers[-1].status_code == 400
