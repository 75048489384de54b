"""What a confined process can still do, tried from within: what its work needs, and nothing else."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

DATABASE = "registry.db"
REFUSED = {"EACCES", "EPERM"}
# What each may do; all else is refused.
MAY = {
    "decoder": {"start a thread"},
    "trial": {"read the weights", "write its scratch", "start a thread", "make memory to share"},
    "worker": {
        *("read the weights", "read the weights of others", "write its scratch", "start a thread"),
        *("use the database", "connect to a service", "connect to a socket in a folder", "make memory to share"),
    },
    "fetcher": {"start a thread", "connect to a service", "connect to another port", "make memory to share"},
}


@pytest.fixture
def order(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What is tried, and where: two services that listen, a secret, weights of two networks, and a database."""
    folders = {name: tmp_path / name for name in ("secrets", "weights", "scratch", "data")}
    for folder in (*folders.values(), folders["weights"] / "own", folders["weights"] / "other"):
        folder.mkdir()
    (folders["secrets"] / "secret").write_text("secret")
    for name in ("own", "other"):
        (folders["weights"] / name / "model").write_text("weights")
    file = folders["data"] / DATABASE
    with ExitStack() as stack:
        database = stack.enter_context(closing(sqlite3.connect(file)))
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE numbers (number INTEGER)")
        database.commit()
        service, other = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        path = folders["data"] / "redis.sock"
        on_socket = stack.enter_context(socket.socket(socket.AF_UNIX))
        on_socket.bind(str(path))
        on_socket.listen()
        yield {
            "mode": "required",
            "weights": str(folders["weights"] / "own"),
            "scratch": str(folders["scratch"]),
            "secret": str(folders["secrets"] / "secret"),
            "database": str(file),
            "socket": str(path),
            "port": service.getsockname()[1],
            "other_port": other.getsockname()[1],
            "settings": {
                "database_url": f"sqlite:///{file}",
                "redis_url": f"redis://127.0.0.1:{service.getsockname()[1]}/0",
                "weights_url": folders["weights"].as_uri(),
                "device": "cpu",
            },
        }


def try_all(order: dict[str, Any], **changes: Any) -> dict[str, str]:
    command = (sys.executable, "-m", "tests.unit.workers.sandbox.attempts")
    environment = {**os.environ, "TMPDIR": order["scratch"]}
    ended = subprocess.run(
        command, input=json.dumps(order | changes), capture_output=True, text=True, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("profile", MAY)
def test_a_confined_process_does_its_work_and_nothing_else(profile: str, order: dict[str, Any]) -> None:
    found = try_all(order, profile=profile)
    assert {name for name, how in found.items() if how == "done"} == MAY[profile]
    assert set(found.values()) <= REFUSED | {"done", "OperationalError"}


def test_a_worker_with_a_gpu_does_not_see_more_of_other_processes(order: dict[str, Any]) -> None:
    """Its driver may look around in /proc; here the worker's own device file stands for that of a GPU."""
    found = try_all(order, profile="worker", pretend_gpu="/dev/null")
    assert {name for name, how in found.items() if how == "done"} == MAY["worker"]


def test_what_is_refused_is_possible_without_confinement(order: dict[str, Any]) -> None:
    found = try_all(order, profile="trial", mode="off")
    impossible = {name for name, how in found.items() if how != "done"}
    assert impossible <= {"read /etc/shadow", "enter a namespace"}, found  # where the tests are not run by root
