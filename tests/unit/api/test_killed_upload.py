"""An API process that is killed when an upload is stored, but its network is not yet in the database."""

import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
from werkzeug.test import encode_multipart

from api.services import open_services
from config.settings import Settings
from store.migrate import migrate
from tests.unit.api.callers import ZIP
from tests.unit.api.servers import Server, running_server

LONGEST_SECONDS = 20.0
BOUNDARY = "B"
PART = b'--B\r\nContent-Disposition: form-data; name="model.pt2"; filename="model.pt2"\r\n\r\n'
HEAD = (
    "POST /v0.7/networks HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n"
    "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {length}\r\n\r\n"
)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about."
        time.sleep(0.02)


def kill(server: Server) -> None:
    """Kill the server with its process for requests, which would otherwise clean up after itself."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.process.send_signal(signal.SIGKILL)
    for child in children:
        child.kill()
    psutil.wait_procs(children, LONGEST_SECONDS)


def test_files_of_an_upload_whose_process_was_killed_go_a_day_later(api_settings: Settings, tmp_path: Path) -> None:
    weights, database = tmp_path / "weights", tmp_path / "recoq.db"
    settings = replace(api_settings, data_folder=tmp_path, database_url=f"sqlite:///{database}")
    migrate(settings.database_url)
    with closing(open_services(settings)) as services:
        key = services.accounts.create_key("home", "admin")
    _, fields = encode_multipart({"name": "net", "framework": "pytorch-2.x", "preprocessing": "{}"}, BOUNDARY)
    body = PART + ZIP + fields

    with (
        closing(sqlite3.connect(database, isolation_level=None)) as other,
        running_server(settings) as server,
        socket.create_connection(("127.0.0.1", server.port), LONGEST_SECONDS) as client,
    ):
        client.sendall(HEAD.format(key=key, length=len(body)).encode() + body[: len(PART) + 20])
        until(lambda: list(weights.glob(".unfinished-*")), "The upload")
        other.execute("BEGIN IMMEDIATE")  # the network cannot be written
        client.sendall(body[len(PART) + 20 :])
        until(lambda: list(weights.glob("[!.]*")), "The stored network")
        kill(server)
        other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM networks").fetchone() == (0,)
        (stored,) = weights.iterdir()
        assert (stored / "model.pt2").read_bytes() == ZIP
        a_day_ago = "UPDATE unnamed_weights SET date = datetime(date, '-1 day', '-1 second') WHERE key = ?"
        assert other.execute(a_day_ago, [stored.name]).rowcount == 1
    with running_server(settings):
        until(lambda: not list(weights.iterdir()), "The removal")
