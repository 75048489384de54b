"""The server that ``recoq api`` runs."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.server import gunicorn_options
from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller

START_SECONDS = 20.0


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services) -> Iterator[int]:
    """The port of a server in a process of its own; it must end well on SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    environment = {
        "RECOQ_DATA": str(api_settings.data_folder),
        "RECOQ_REDIS_URL": api_settings.redis_url,
        "RECOQ_PORT": str(free),
        "RECOQ_API_PROCESSES": "1",
        "RECOQ_LOG_LEVEL": "ERROR",
    }
    code = "from api.server import serve; from config.settings import read_settings; serve(read_settings())"
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", free)) == 0:
                    break
            time.sleep(0.05)
        yield free
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0


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
    options = gunicorn_options(replace(api_settings, host=host, port=80, api_processes=3, api_threads=5))
    assert (options["bind"], options["workers"], options["threads"]) == (bind, 3, 5)
    assert options["accesslog"] is None
