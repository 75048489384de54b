"""What ``recoq up`` keeps is for its user alone, while it runs, and so is its key: neither on disk nor in a log."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from cli.redis_server import SOCKET, free_loopback_port
from config.data_folder import DATABASE_FILE, KEY_FILE, REDIS_FOLDER, WEIGHTS_FOLDER
from demo import IMAGES_FOLDER
from tests.files import make_open, open_to_others
from tests.integration.tasks import ended_task
from tests.service import READY_TIMEOUT_SECONDS, STOP_TIMEOUT_SECONDS, running_service, service_environment

IMAGE = min(IMAGES_FOLDER.glob("*.jpg")).read_bytes()
END_OF_WELCOME = "Ctrl-C stops it"


def kept_in(data: Path) -> list[Path]:
    """Return what a running service keeps for its user alone."""
    redis = data / REDIS_FOLDER
    return [
        data / KEY_FILE,
        data / DATABASE_FILE,
        data / f"{DATABASE_FILE}-wal",
        data / f"{DATABASE_FILE}-shm",
        redis / SOCKET,
        *(redis / "appendonlydir").glob("*.aof"),
        *(path for path in (data / WEIGHTS_FOLDER).rglob("*") if path.is_file()),
    ]


def recognise(url: str, key: str) -> None:
    with httpx.Client(base_url=f"{url}/v0.7", headers={"X-API-KEY": key}, timeout=30) as http:
        path = "/recognition/public/shapes-v1/inference"
        task = ended_task(http, http.post(path, files={"inputs[0]image.source": IMAGE}))
        assert task["status"] == "success"


def welcome_on_a_terminal(terminal: int) -> str:
    """Return what the service writes to a terminal until it is ready."""
    written = ""
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while END_OF_WELCOME not in written:
        assert time.monotonic() < deadline, written
        if select.select([terminal], [], [], 0.1)[0]:
            written += os.read(terminal, 65536).decode()
    return written


def test_folder_of_an_older_release_is_closed_and_the_key_is_for_terminals(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_service(data) as service:
        recognise(service.url, service.key)
        assert open_to_others(data) == []
        assert len(kept_in(data)) > 7
        assert [path for path in kept_in(data) if not path.exists()] == []
        assert service.key not in service.welcome
        assert str(data / KEY_FILE) in service.welcome
        command_lines = [" ".join(child.cmdline()) for child in psutil.Process(service.process.pid).children()]
        assert not [line for line in command_lines if service.key in line]
    assert service.key not in service.log.read_text()

    make_open(data)
    port = str(free_loopback_port())
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "up"],
        env=service_environment(data, RECOQ_PORT=port, TERM="xterm"),
        umask=0o022,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        try:
            welcome = welcome_on_a_terminal(ours)
            recognise(f"http://127.0.0.1:{port}", service.key)
            assert open_to_others(data) == []
            assert [path for path in kept_in(data) if not path.exists()] == []
            assert welcome.count(service.key) == 1
            assert welcome.count(f'"X-API-KEY: $(cat {data / KEY_FILE})"') == 2
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(OSError):
                while os.read(ours, 65536):  # what nobody reads would hold up its end
                    pass
            process.wait(STOP_TIMEOUT_SECONDS)
    os.close(ours)
