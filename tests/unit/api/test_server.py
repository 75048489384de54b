"""The server that ``recoq api`` runs."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.server import gunicorn_options
from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller
from tests.unit.api.servers import START_SECONDS, running_server


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services) -> Iterator[int]:
    """The port of a server in a process of its own; it must end well on SIGTERM."""
    with running_server(api_settings) as server:
        yield server.port
        server.stop()


def test_server_answers_requests_as_long_as_a_thousand_tasks_need(port: int, admin: Caller) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    query = "&".join(f"task_ids={number}" for number in range(10**12, 10**12 + 1000))
    for path, status in ((f"/v0.7/tasks/?{query}", 200), ("/v0.7/accounts/me", 200), ("/v0.7/x?" + "x" * 70_000, 414)):
        connection.request("GET", path, headers={"X-API-KEY": admin.key})
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def test_request_that_the_server_itself_refuses_gets_an_error_in_json(port: int) -> None:
    refused = {
        b"GET /v0.7/tasks?" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n": 414,
        b"GET /v0.7/tasks HTTP/1.1\r\nbad header\r\n\r\n": 400,
    }
    for request, status in refused.items():
        with socket.create_connection(("127.0.0.1", port), START_SECONDS) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert (response.status, response.headers["Content-Type"]) == (status, "application/json")
            assert set(json.loads(response.read())) == {"error"}


def test_forwarded_headers_are_not_believed_by_the_server(port: int, admin: Caller) -> None:
    admin.spec()
    admin.spec()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    headers = {"X-API-KEY": admin.key, "X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    connection.request("GET", "/v0.7/recognition/specs?limit=1", headers=headers)
    assert b'"next":"http://127.0.0.1' in connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize(("host", "bind"), [("0.0.0.0", "0.0.0.0:80"), ("::1", "[::1]:80")])
def test_server_binds_where_the_settings_say(api_settings: Settings, host: str, bind: str) -> None:
    options = gunicorn_options(replace(api_settings, host=host, port=80, api_processes=3, api_connections=5))
    assert (options["bind"], options["workers"], options["worker_connections"]) == (bind, 3, 5)
    assert options["accesslog"] is None
