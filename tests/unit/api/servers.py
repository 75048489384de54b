"""Runs the server of the API in processes of its own, on a free port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from config.settings import Settings

START_SECONDS = 20.0


@dataclass(frozen=True)
class Server:
    """A running server with one process for requests."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v0.7"

    def stop(self) -> None:
        """Tell it to stop, and check that it ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(START_SECONDS) == 0


@contextmanager
def running_server(settings: Settings, log: IO[bytes] | None = None, **variables: str) -> Iterator[Server]:
    """Serve with these settings while the block runs, and with these variables in its environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "RECOQ_DATA": str(settings.data_folder),
        "RECOQ_DATABASE_URL": settings.database_url,
        "RECOQ_REDIS_URL": settings.redis_url,
        "RECOQ_PORT": str(port),
        "RECOQ_API_PROCESSES": "1",
        "RECOQ_LOG_LEVEL": "ERROR",
        **variables,
    }
    with subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=log) as process:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        try:
            yield Server(port, process)
        finally:
            process.terminate()
