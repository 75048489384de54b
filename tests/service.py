"""Starts the whole service for a test or a benchmark, as a user would: ``recoq up`` on a free port."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.redis_server import free_loopback_port
from config.data_folder import KEY_FILE

READY_TIMEOUT_SECONDS = 240.0
STOP_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """A running service, and the key of its first account."""

    url: str
    key: str
    data_folder: Path
    process: "subprocess.Popen[str]"
    welcome: str
    log: Path


def service_environment(data_folder: Path, **settings: str) -> dict[str, str]:
    """Return an environment for a ``recoq`` command that works on ``data_folder``, with no other settings of ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECOQ_")}
    return {**inherited, "RECOQ_DATA": str(data_folder), **settings}


@contextmanager
def running_service(data_folder: Path, **settings: str) -> Iterator[Service]:
    """Run ``recoq up --allow-loopback-urls`` while the block runs, on a port of its own.

    Standard error goes to ``<data_folder>.log``, which is shown if the service does not get ready.
    """
    port = settings.setdefault("RECOQ_PORT", str(free_loopback_port()))
    log = data_folder.with_name(data_folder.name + ".log")
    command = [sys.executable, "-m", "cli", "up", "--allow-loopback-urls"]
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command,
            env=service_environment(data_folder, **settings),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            welcome = _welcome(process, log)
            key = (data_folder / KEY_FILE).read_text().strip()
            yield Service(f"http://127.0.0.1:{port}", key, data_folder, process, welcome, log)
        finally:
            stop(process)


def stop(process: "subprocess.Popen[str]") -> int:
    """Stop the service as Ctrl-C does and return its exit status."""
    process.terminate()
    return process.wait(STOP_TIMEOUT_SECONDS)


def _welcome(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    watchdog = threading.Timer(READY_TIMEOUT_SECONDS, process.kill)
    watchdog.start()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C stops it"):
            watchdog.cancel()
            return "".join(lines)
    watchdog.cancel()
    raise AssertionError(f"The service did not get ready:\n{log.read_text()[-8000:]}")
