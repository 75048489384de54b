"""Each process of a service, started alone, closes the data folder and writes for its user alone."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.redis_server import free_loopback_port
from config.data_folder import DATABASE_FILE
from tests.files import make_open, open_to_others
from tests.service import service_environment, stop

START_SECONDS = 60.0
OPEN_UMASK = 0o022  # of most shells


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of an older release, open to all users."""
    data = tmp_path / "data"
    recoq(data, "migrate")
    (data / "weights" / "0123").mkdir(parents=True)
    (data / "weights" / "0123" / "model.pt2").write_bytes(b"weights")
    make_open(data)
    return data


def recoq(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=service_environment(data),
        umask=OPEN_UMASK,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=True,
    )


@contextmanager
def running(data: Path, *arguments: str, **settings: str) -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        env=service_environment(data, **settings),
        umask=OPEN_UMASK,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            stop(process)


def umask_of(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("Umask:")[1].split()[0], 8)


def test_migrate_makes_a_private_database(tmp_path: Path) -> None:
    recoq(tmp_path / "data", "migrate")
    assert (tmp_path / "data" / DATABASE_FILE).exists()
    assert open_to_others(tmp_path / "data") == []


@pytest.mark.parametrize("arguments", [("migrate",), ("keys", "list"), ("keys", "create", "--account", "robots")])
def test_commands_beside_a_service_close_its_folder(data: Path, arguments: tuple[str, ...]) -> None:
    assert open_to_others(data)
    recoq(data, *arguments)
    assert open_to_others(data) == []


@pytest.mark.parametrize("arguments", [("api",), ("webhooks",), ("worker", "--device", "cpu")])
def test_processes_of_a_service_close_its_folder(data: Path, empty_redis: str, arguments: tuple[str, ...]) -> None:
    port = str(free_loopback_port())
    with running(data, *arguments, RECOQ_REDIS_URL=empty_redis, RECOQ_PORT=port) as process:
        deadline = time.monotonic() + START_SECONDS
        while open_to_others(data):
            assert time.monotonic() < deadline, f"still open: {open_to_others(data)}"
            time.sleep(0.1)
        assert umask_of(process) == 0o077
