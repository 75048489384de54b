"""Bodies that do not arrive whole are a 400 with a sentence, one line of the log, and the end of their connection."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import ZIP, Caller
from tests.unit.api.servers import running_server
from tests.unit.api.sockets import ANSWER_SECONDS, exchange, request

CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=B"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
MAX_LINE = 400
MAX_HOLD_SECONDS = 4.0
SETTINGS = {"RECOQ_LOG_LEVEL": "WARNING", "RECOQ_MAX_BODY_BYTES": "2000000"}

Log = Callable[[], list[str]]


@pytest.fixture(scope="module")
def log_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "api.log"


@pytest.fixture(scope="module")
def port(api_settings: Settings, services: Services, log_path: Path) -> Iterator[int]:
    with log_path.open("wb") as log, running_server(api_settings, log, **SETTINGS) as server:
        yield server.port
        server.stop()


@pytest.fixture
def log(log_path: Path, port: int) -> Log:
    """The lines that the server has logged since the test began."""
    start = log_path.stat().st_size

    def lines() -> list[str]:
        found = log_path.read_bytes()[start:].decode().splitlines()
        return [line for line in found if "store.task_ids" not in line]  # other tests empty the Redis of this server

    return lines


ENDS_EARLY = "The chunked body ends before its last chunk and the empty line after it."
MALFORMED_TRAILERS = "The trailers of the chunked body are malformed."
BROKEN = [
    (b"zz\r\nabc\r\n0\r\n\r\n", "A chunk size of the body is malformed: 'zz'."),
    (b"\r\n", "A chunk size of the body is malformed: ''."),
    (b"-1\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: '-1'."),
    (b"+2\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: '+2'."),
    (b"0x2\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: '0x2'."),
    (b"1_0\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: '1_0'."),
    (b" 2\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: ' 2'."),
    (b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n", "A chunk size of the body is malformed: 'ffffffffffffffff'."),
    (b"f" * 5000 + b"\r\n", f"A chunk size of the body is malformed: '{'f' * 60}...'."),
    (b"2\r\n{}X\r\n0\r\n\r\n", "A chunk of the body does not end where its size says."),
    (b"2\r\n{}\n0\r\n\r\n", "A chunk of the body does not end where its size says."),
    (b"2\n{}\n0\n\n", ENDS_EARLY),
    (b"20\r\n{}", ENDS_EARLY),
    (b"2\r\n{}\r\n", ENDS_EARLY),
    (b"2\r\n{}\r\n0\r\n", ENDS_EARLY),
    (b"2\r\n{}\r\n0\r\nX: y\r\n", ENDS_EARLY),
    (b"2\r\n{}\r\n0\r\nX y\r\n\r\n", MALFORMED_TRAILERS),
    (b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", MALFORMED_TRAILERS),
    (b"2\r\n{}\r\n0\r\nX: y\n\r\n\r\n", MALFORMED_TRAILERS),
    (b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 300_000, "The trailers of the chunked body are too long."),
    (b"2;=\r\n{}\r\n0\r\n\r\n", "A chunk extension of the body is malformed."),
    (b"2;a\rb\r\n{}\r\n0\r\n\r\n", "A chunk extension of the body is malformed."),
    (b"2;" + b"a" * 100_000, "A chunk size of the body is malformed: 'line over 8190 bytes with no terminator'."),
]


@pytest.mark.parametrize(("body", "sentence"), BROKEN, ids=[str(body[:20]) for body, _ in BROKEN])
def test_broken_frame_is_named_once_and_ends_its_connection(
    port: int, admin: Caller, log: Log, body: bytes, sentence: str
) -> None:
    sent = request("POST", "/v0.7/recognition/specs", admin.key, JSON, CHUNKED, body=body)
    answer = exchange(port, sent + HEALTH * (not sentence.endswith(ENDS_EARLY)), end=True).only
    assert (answer.status, answer.json) == (400, {"error": sentence})
    assert "connection: close" in answer.head
    [line] = log()
    assert line.endswith(sentence)
    assert len(line) < MAX_LINE


READERS = [
    ("POST", "/v0.7/recognition/versions/{id}/inference", JSON),
    ("POST", "/v0.7/recognition/versions/{id}/inference", FORM),
    ("POST", "/v0.7/recognition/versions/{id}/inference", MULTIPART),
    ("POST", "/v0.7/recognition/versions/{id}/inference/bulk", MULTIPART),
    ("POST", "/v0.7/networks/{network_id}/inference", JSON),
    ("POST", "/v0.7/networks", MULTIPART),
    ("POST", "/v0.7/networks", JSON),
    ("PATCH", "/v0.7/networks/{network_id}", FORM),
    ("PUT", "/v0.7/recognition/specs/{spec_id}", JSON),
]


@pytest.mark.parametrize("reader", READERS, ids=" ".join)
def test_every_reader_of_bodies_refuses_broken_ones(
    port: int, admin: Caller, version: dict[str, int], log: Log, reader: tuple[str, str, str]
) -> None:
    method, path, kind = reader
    address = path.format(**version)
    broken = exchange(port, request(method, address, admin.key, kind, CHUNKED, body=b"zz\r\n" + HEALTH)).only
    assert (broken.status, broken.error) == (400, "A chunk size of the body is malformed: 'zz'.")
    cut_off = exchange(port, request(method, address, admin.key, kind, "Content-Length: 50", body=b"name=a"), end=True)
    assert (cut_off.only.status, cut_off.only.error) == (400, "The body ends 44 bytes before its Content-Length.")
    assert len(log()) == 2


def test_half_a_form_changes_nothing(port: int, admin: Caller) -> None:
    spec_id = admin.spec(name="whole")
    sent = request("PATCH", f"/v0.7/recognition/specs/{spec_id}", admin.key, FORM, "Content-Length: 9", body=b"name=h")
    assert exchange(port, sent, end=True).only.status == 400
    assert admin.get(f"/recognition/specs/{spec_id}").get_json()["name"] == "whole"


def test_nothing_stays_of_an_upload_that_breaks_off(port: int, admin: Caller, api_settings: Settings) -> None:
    before = stored_files(api_settings)
    part = b'--B\r\nContent-Disposition: form-data; name="model.pt2"; filename="m"\r\n\r\n' + ZIP + b"x" * 300_000
    chunk = b"%x\r\n%s\r\n" % (len(part), part)
    answer = exchange(port, request("POST", "/v0.7/networks", admin.key, MULTIPART, CHUNKED, body=chunk + b"zz\r\n"))
    assert answer.only.status == 400
    assert stored_files(api_settings) == before


def stored_files(settings: Settings) -> set[Path]:
    return {path for path in (settings.data_folder / "weights").rglob("*") if path.is_file()}


UNREAD = [
    ("GET", "/v0.7/accounts/me", 200),
    ("GET", "/healthz", 200),
    ("DELETE", "/v0.7/tasks/987654321", 404),
    ("POST", "/v0.7/nothing", 404),
    ("POST", "/v0.7/tasks", 405),
]


@pytest.mark.parametrize("unread", UNREAD)
@pytest.mark.parametrize("body", [b"zz\r\n", b"2\r\n{}\r\n0\r\n\r\n"], ids=["broken", "whole"])
def test_what_follows_a_chunked_body_that_nobody_reads_is_no_request(
    port: int, admin: Caller, unread: tuple[str, str, int], body: bytes
) -> None:
    method, path, status = unread
    answer = exchange(port, request(method, path, admin.key, JSON, CHUNKED, body=body + HEALTH)).only
    assert answer.status == status
    assert "connection: close" in answer.head


@pytest.mark.parametrize(("method", "path", "status"), UNREAD)
def test_short_body_that_nobody_reads_is_skipped(port: int, admin: Caller, method: str, path: str, status: int) -> None:
    smuggled = b"DELETE /v0.7/tasks/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    sent = request(method, path, admin.key, JSON, f"Content-Length: {len(smuggled)}", body=smuggled + last)
    assert exchange(port, sent).statuses == [status, 200]


def test_body_without_a_key_is_not_read(port: int, log: Log) -> None:
    sent = request("POST", "/v0.7/recognition/specs", "wrong", JSON, CHUNKED, body=b"zz\r\n" + HEALTH)
    assert exchange(port, sent).only.status == 401
    assert log() == []


def test_broken_body_after_100_continue_is_answered_once(port: int, admin: Caller) -> None:
    headers = (JSON, CHUNKED, "Expect: 100-continue")
    sent = request("POST", "/v0.7/recognition/specs", admin.key, *headers, body=b"zz\r\n")
    assert exchange(port, sent).statuses == [100, 400]


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 30000000"], ids=["chunked", "length"])
def test_client_of_too_large_a_body_receives_its_answer(port: int, admin: Caller, framing: str) -> None:
    """Were the connection closed with bytes unread, TCP would reset it, and the answer could be lost."""
    chunk = b"%x\r\n%s\r\n" % (30_000_000, b" " * 30_000_000) if framing == CHUNKED else b" " * 30_000_000
    answer = exchange(port, request("POST", "/v0.7/recognition/specs", admin.key, JSON, framing, body=chunk)).only
    assert answer.status == 413
    assert "connection: close" in answer.head


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [("/v0.7/recognition/specs", 30_000_000, 413), ("/v0.7/networks", 2**40, 413), ("/v0.7/nothing", 10, 404)],
)
def test_body_that_is_refused_by_its_head_is_not_asked_for(
    port: int, admin: Caller, path: str, length: int, status: int
) -> None:
    kind = MULTIPART if path.endswith("networks") else JSON
    headers = (kind, f"Content-Length: {length}", "Expect: 100-continue")
    answer = exchange(port, request("POST", path, admin.key, *headers, body=HEALTH)).only
    assert answer.status == status  # and what follows is no request, although the body was not sent
    assert "connection: close" in answer.head


def test_body_without_a_key_is_not_asked_for(port: int) -> None:
    headers = (JSON, "Content-Length: 10", "Expect: 100-continue")
    assert exchange(port, request("POST", "/v0.7/recognition/specs", "wrong", *headers)).only.status == 401


def test_whole_chunked_bodies_with_extensions_and_trailers_are_read(port: int, admin: Caller) -> None:
    body = b'2;a=b;c="d;e"\r\n{}\r\n0\r\nX-Checksum: 1\r\n\r\n'
    last = request("GET", "/v0.7/accounts/me", admin.key, "Connection: close")
    sent = request("POST", "/v0.7/recognition/specs", admin.key, JSON, CHUNKED, body=body + last)
    assert exchange(port, sent).statuses == [400, 200]  # what is missing in {} is another matter


def test_chunked_body_without_a_type_is_not_taken_for_none(port: int, admin: Caller) -> None:
    body = b"2\r\n{}\r\n0\r\n\r\n"
    sent = request("POST", "/v0.7/recognition/specs", admin.key, CHUNKED, "Connection: close", body=body)
    assert exchange(port, sent).only.status == 415


@pytest.fixture(scope="module")
def impatient_port(api_settings: Settings, services: Services) -> Iterator[int]:
    with running_server(api_settings, RECOQ_BODY_SECONDS="1") as server:
        yield server.port


@pytest.mark.parametrize("begun", [b"2", b"2\n", b"2\r\n{}\r\n0\r\nX: y", b"2;a"])
def test_frame_without_an_end_is_not_awaited_for_ever(impatient_port: int, admin: Caller, begun: bytes) -> None:
    sent = request("POST", "/v0.7/recognition/specs", admin.key, JSON, CHUNKED, body=begun)
    answer = exchange(impatient_port, sent).only
    assert answer.status == 408
    assert "connection: close" in answer.head


def test_many_tiny_chunks_hold_nobody_up(port: int, admin: Caller) -> None:
    body = (b"1;" + b"x" * 60 + b"\r\n \r\n") * 150_000
    sent = request("POST", "/v0.7/recognition/specs", admin.key, MULTIPART, CHUNKED, body=body)
    longest = 0.0
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as busy:
        sending = Thread(target=busy.sendall, args=(sent,))
        sending.start()
        while sending.is_alive():
            began = time.monotonic()
            assert exchange(port, request("GET", "/healthz", "", "Connection: close")).only.status == 200
            longest = max(longest, time.monotonic() - began)
        busy.shutdown(socket.SHUT_WR)
        assert busy.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert 0 < longest < MAX_HOLD_SECONDS, longest


def test_paths_neither_break_nor_fill_the_log(port: int, admin: Caller, log: Log) -> None:
    path = f"/v0.7/recognition/public/{'x' * 150}%0Aforged%1B{'x' * 50_000}/inference"
    assert exchange(port, request("POST", path, admin.key, JSON, CHUNKED, body=b"zz\r\n")).only.status == 400
    [line] = log()
    assert "%0Aforged" in line
    assert len(line) < MAX_LINE


def test_log_lines_do_not_repeat_keys(port: int, admin: Caller, log: Log) -> None:
    sent = request("POST", "/v0.7/recognition/specs", admin.key, JSON, CHUNKED, body=b"zz\r\n")
    exchange(port, sent)
    exchange(port, f"GET / HTTP/1.1\r\nX-API-KEY {admin.key}\r\n\r\n".encode())
    exchange(port, f"GET / HTTP/1.1\r\nX-API-KEY : {admin.key}\r\n\r\n".encode())
    exchange(port, f"GET / HTTP/1.1\r\nX-API-KEY: {admin.key}\x01\r\n\r\n".encode())
    lines = log()
    assert len(lines) == 4
    assert not re.search(re.escape(admin.key[3:]), "".join(lines))
