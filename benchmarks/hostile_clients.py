"""What other accounts notice of one that pipelines without reading, sends what is too large, or what is dear to read.

Runs Redis and an API of two processes. One account does its worst from a process of its own; meanwhile another asks
for something small, twenty times a second, each time on a new connection and on one that stays open.
"""

import base64
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.api_cost import RunningApi, running_api
from benchmarks.results import write_section
from benchmarks.waits import percentile
from store.accounts import Accounts
from store.database import Database

CONNECTIONS, PIPELINED = 200, 200
ATTACKS = 6
ASKS_PER_SECOND = 20
LONGEST_SECONDS = 180.0
MEBIBYTE = 1024 * 1024
PART = b'--B\r\nContent-Disposition: form-data; name="a%d"; filename="%s"\r\n\r\nx\r\n'


@dataclass(frozen=True)
class Row:
    """What one attack cost others, and its own first answer, in seconds."""

    name: str
    others: list[float]
    own: float | None


def request(api: RunningApi, method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request of the hostile account."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-API-KEY: {api.key}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def post(api: RunningApi, kind: str, body: bytes, announced: int | None = None) -> bytes:
    """Return an inference request with a body."""
    length = f"Content-Length: {len(body) if announced is None else announced}"
    return request(
        api, "POST", f"/v0.7/recognition/specs/{api.spec_id}/inference", f"Content-Type: {kind}", length, body=body
    )


def attacks(api: RunningApi) -> Iterator[tuple[str, bytes, int]]:
    """Yield what is sent, and on how many connections."""
    lists = request(api, "GET", "/v0.7/recognition/specs?limit=100") * PIPELINED
    yield f"{CONNECTIONS} connections that pipeline {PIPELINED} lists each and never read", lists, CONNECTIONS
    too_large = post(api, "application/json", b" " * (70 * MEBIBYTE))
    yield "8 bodies of 70 MiB", too_large, 8
    parts = b"".join(PART % (number, b"f" * 1000) for number in range(5000)) + b"--B--\r\n"
    yield "8 multipart bodies of 5,000 parts with long names", post(api, "multipart/form-data; boundary=B", parts), 8
    image = base64.b64encode(bytes(40 * MEBIBYTE))
    body = b'{"inputs": [{"image": {"source": "data:image/*;base64,' + image + b'"}}, {}]}'
    yield "8 images of 40 MiB as base64, in bodies that are refused", post(api, "application/json", body), 8
    escapes = b'{"inputs": "' + b"\\u00e9" * 8_000_000 + b'"}'
    yield "8 JSON texts of 8 million escapes", post(api, "application/json", escapes), 8
    form = b"inputs=" + b"%61" * (20 * MEBIBYTE)
    yield "8 forms of 20 million escapes", post(api, "application/x-www-form-urlencoded", form), 8


def attack(port: int, sent: bytes, connections: int, told: Any) -> None:
    """Send it on all connections at once, and tell after how many seconds the first had an answer, None without."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    rests = {client: memoryview(sent) for client in clients}
    started, own = time.monotonic(), None
    told.send(None)
    while time.monotonic() - started < LONGEST_SECONDS:
        if own is None and answered(clients[0]):
            own = time.monotonic() - started
            told.send(own)
        for client in tuple(rests):
            rests[client] = sent_on(client, rests[client])
            if not rests[client]:
                del rests[client]
        time.sleep(0.001)


def sent_on(client: socket.socket, rest: memoryview) -> memoryview:
    """Send what the kernel takes, and return what is left; nothing if the connection has ended."""
    try:
        return rest[client.send(rest[: 4 * MEBIBYTE], socket.MSG_DONTWAIT) :]
    except BlockingIOError:
        return rest
    except OSError:
        return rest[:0]


def answered(client: socket.socket) -> bool:
    """Return whether an answer has come; it stays unread."""
    try:
        return bool(client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


@contextmanager
def attacked(port: int, sent: bytes, connections: int) -> Iterator[Any]:
    """Attack while the block runs; yields the end of a pipe that tells when the first answer had come."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=attack, args=(port, sent, connections, theirs), daemon=True)
    process.start()
    ours.recv()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def ask(url: str, key: str, kept: httpx.Client) -> Iterator[float]:
    """Yield how long a small request took, on a new connection and on one that is kept."""
    headers = {"X-API-KEY": key}
    for client in (httpx.Client(timeout=LONGEST_SECONDS), kept):
        started = time.monotonic()
        client.get(f"{url}/v0.7/accounts/me", headers=headers).raise_for_status()
        yield time.monotonic() - started
        if client is not kept:
            client.close()


def measure(api: RunningApi, key: str, row: tuple[str, bytes, int], seconds: float) -> Row:
    """Attack, and ask meanwhile."""
    name, sent, connections = row
    others: list[float] = []
    with httpx.Client(timeout=LONGEST_SECONDS) as kept:
        list(ask(api.url, key, kept))
        with attacked(int(api.url.rpartition(":")[2]), sent, connections) as heard:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                started = time.monotonic()
                others += ask(api.url, key, kept)
                time.sleep(max(0.0, 1 / ASKS_PER_SECOND - (time.monotonic() - started)))
            own = heard.recv() if sent and heard.poll(LONGEST_SECONDS) else None
    return Row(name, sorted(others), own)


def table(rows: list[Row]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| one account sends | other requests: median | p95 | longest | its own first answer |",
        "| --- " * 5 + "|",
    ]
    for row in rows:
        median, p95, longest = percentile(row.others, 0.5), percentile(row.others, 0.95), row.others[-1]
        own = "none" if row.own is None else f"{row.own:.2f} s"
        lines.append(f"| {row.name} | {median:.3f} s | **{p95:.3f} s** | **{longest:.2f} s** | {own} |")
    return "\n".join(lines)


def measure_all(seconds: float) -> Iterator[Row]:
    """Yield all rows, each of a service of its own."""
    for index in range(ATTACKS + 1):
        with tempfile.TemporaryDirectory() as folder, running_api(Path(folder), processes=2, specs=200) as api:
            database = Database(api.database_url)
            key = Accounts(database).create_key("other", "admin")
            database.close()
            row = [("nothing", b"", 1), *attacks(api)][index]
            yield measure(api, key, row, seconds)


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the network does not count."""
    figures = table(list(measure_all(seconds)))
    intro = "Two API processes; targets: p95 below 0.3 s, none over 1 s."
    write_section("hostile-clients", "What others notice of a hostile client", f"{intro}\n\n{figures}")
    return figures
