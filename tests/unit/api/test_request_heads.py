"""Heads of requests that a proxy could read in another way are refused in one sentence, and end their connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller
from tests.unit.api.servers import running_server
from tests.unit.api.sockets import exchange, request

HOST = "Host: localhost\r\n"
LENGTH = "Content-Length must be one number of bytes, and not stand beside Transfer-Encoding."
CODING = "Transfer-Encoding must be chunked, once, in HTTP/1.1."
BODY = "\r\n\r\nhelloGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
MAX_LINE = 400


@pytest.fixture(scope="module")
def log_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "api.log"


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services, log_path: Path) -> Iterator[int]:
    with log_path.open("wb") as log, running_server(api_settings, log, RECOQ_LOG_LEVEL="WARNING") as server:
        yield server.port
        server.stop()


def post(headers: str) -> str:
    return f"POST /v0.7/recognition/specs HTTP/1.1\r\n{HOST}{headers}{BODY}"


REFUSED = [
    *[(post(f"Content-Length: {length}"), 400, LENGTH) for length in ("+5", "-5", "5, 5", "0x5", "1_0", "\xb2", "")],
    (post("Content-Length: 5\r\nContent-Length: 5"), 400, LENGTH),
    (post("Content-Length: 5\r\nContent-Length: 6"), 400, LENGTH),
    (post(f"Content-Length: {'9' * 5000}"), 400, LENGTH),
    (post("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400, LENGTH),
    (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400, CODING),
    (post("Transfer-Encoding: chunked, gzip"), 400, CODING),
    (post("Transfer-Encoding: gzip"), 400, CODING),
    (
        post("Transfer-Encoding: gzip, chunked"),
        501,
        "The Transfer-Encoding 'gzip, chunked' is not read; send chunked, or a Content-Length.",
    ),
    (
        post("Transfer-Encoding: xchunked"),
        501,
        "The Transfer-Encoding 'xchunked' is not read; send chunked, or a Content-Length.",
    ),
    (post("Transfer-Encoding : chunked"), 400, "The header 'Transfer-Encoding' is malformed."),
    (post("X: a\r\n b"), 400, "The header 'X' must be on one line."),
    (post("X: a\x00b"), 400, "The header 'X' is malformed."),
    (post("no colon"), 400, "The header 'no' is malformed."),
    (post("Host: other"), 400, "Send the header Host once."),
    (post("Expect: a cookie"), 417, "The expectation 'a cookie' cannot be met; only 100-continue can."),
    ("GET / HTTP/1.1\nHost: localhost\n\n", 400, "Every line of the head must end with CRLF."),
    (f"GET / HTTP/1.1\r\n{HOST}X: a\n\n", 400, "Every line of the head must end with CRLF."),
    (f"GET http://[::1/ HTTP/1.1\r\n{HOST}\r\n", 400, "The request line is malformed: 'GET http://[::1/ HTTP/1.1'."),
    ("GET /\xe9 HTTP/1.1\r\n\r\n", 400, "The request line is malformed: 'GET /\\xe9 HTTP/1.1'."),
    ("get / HTTP/1.1\r\n\r\n", 400, "The method 'get' is malformed."),
    ("GET / HTTP/2.0\r\n\r\n", 400, "The request is neither HTTP/1.1 nor HTTP/1.0."),
    (f"GET ftp://localhost/ HTTP/1.1\r\n{HOST}\r\n", 400, "The request line is malformed: 'GET ftp://localhost/ HTTP"),
    (f"GET x?y=:// HTTP/1.1\r\n{HOST}\r\n", 400, "The request line is malformed: 'GET x?y=:// HTTP/1.1'."),
    (f"GET * HTTP/1.1\r\n{HOST}\r\n", 400, "The request line is malformed: 'GET * HTTP/1.1'."),
    (f"\x16\x03\x01{'x' * 30_000}\r\n\r\n", 400, f"The request line is malformed: '\\x16\\x03\\x01{'x' * 57}...'."),
    (f"GET /?{'x' * 70_000} HTTP/1.1\r\n{HOST}\r\n", 414, "The request line is longer than 65536 bytes."),
    (post(f"X: {'x' * 70_000}"), 431, "A header is too long, or there are too many headers."),
    (post(f"X: {'x' * 8000}\r\n" * 9 + "X: y"), 431, "A header is too long, or there are too many headers."),
    (post("X: y\r\n" * 200 + "X: y"), 431, "A header is too long, or there are too many headers."),
]


@pytest.mark.parametrize(("sent", "status", "sentence"), REFUSED, ids=[repr(sent[-60:]) for sent, *_ in REFUSED])
def test_ambiguous_or_malformed_head_is_refused(
    port: int, log_path: Path, sent: str, status: int, sentence: str
) -> None:
    start = log_path.stat().st_size
    answer = exchange(port, sent.encode("latin-1")).only
    assert answer.status == status
    assert answer.error.startswith(sentence)
    assert set(answer.json) == {"error"}
    assert "connection: close" in answer.head
    lines = log_path.read_bytes()[start:].decode().splitlines()
    [line] = [line for line in lines if "store.task_ids" not in line]  # other tests empty the Redis of this server
    assert len(line) < MAX_LINE


@pytest.mark.parametrize(
    "path", ["/v0.7/networks/public/a%00b", "/v0.7/networks/public/%ff", "/v0.7/tasks/%00", "/pages/%ff", "/%00"]
)
def test_odd_bytes_in_paths_are_not_found(port: int, admin: Caller, path: str) -> None:
    answer = exchange(port, request("GET", path, admin.key, "Connection: close")).only
    assert answer.status == 404


def test_host_of_an_absolute_address_wins(port: int, admin: Caller) -> None:
    admin.spec()
    admin.spec()
    address = "http://recoq.example:8000/v0.7/recognition/specs?limit=1"
    answer = exchange(port, request("GET", address, admin.key, "Connection: close")).only
    assert answer.json["next"].startswith("http://recoq.example:8000/v0.7/recognition/specs?")


def test_host_that_only_looks_like_an_international_one_is_shown_as_it_is(port: int, admin: Caller) -> None:
    admin.spec()
    admin.spec()
    sent = request("GET", "/v0.7/recognition/specs?limit=1", admin.key, "Connection: close")
    answer = exchange(port, sent.replace(b"Host: localhost", b"Host: xn--a")).only
    assert answer.json["next"].startswith("http://xn--a/v0.7/")


def test_absolute_address_with_a_password_is_refused(port: int, admin: Caller) -> None:
    answer = exchange(port, request("GET", "http://a:b@localhost/v0.7/tasks", admin.key, "Connection: close")).only
    assert answer.status == 400
    assert "a:b" not in answer.error


def test_old_clients_need_no_host(port: int, admin: Caller) -> None:
    sent = f"GET /v0.7/recognition/specs?limit=1 HTTP/1.0\r\nX-API-KEY: {admin.key}\r\n\r\n"
    answer = exchange(port, sent.encode()).only
    assert answer.status == 200
    assert answer.json["next"].startswith(f"http://127.0.0.1:{port}/")


def test_new_clients_need_one(port: int, admin: Caller) -> None:
    sent = f"GET /v0.7/tasks HTTP/1.1\r\nX-API-KEY: {admin.key}\r\nConnection: close\r\n\r\n"
    answer = exchange(port, sent.encode()).only
    assert (answer.status, answer.error) == (400, "The header Host is missing, which HTTP/1.1 requires.")


def test_body_of_a_head_request_is_skipped(port: int, admin: Caller) -> None:
    last = request("GET", "/healthz", "", "Connection: close")
    sent = request("HEAD", "/v0.7/accounts/me", admin.key, "Content-Length: 3", body=b"abc" + last)
    assert exchange(port, sent).statuses == [200, 200]
