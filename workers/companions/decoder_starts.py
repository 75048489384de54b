"""Starts the decoders of image files for a worker that may start nothing: a part of the launcher.

It reads nothing of an image. Worker and decoder speak to each other on a socket pair of their own, of which the worker
is handed one end; a decoder that it lets go of is ended.
"""

import socket
import subprocess
import sys
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from typing import Any

import orjson

from config.sandbox_mode import SandboxMode
from config.settings import MEBIBYTE, environment_without_secrets

MAX_RUNNING = 256
MODULE = "workers.decoders.process"
# One thread and one heap: more would take addresses, which are limited, and spare no time. The memory of one image
# serves the next one, up to these bounds; all of it goes back when the decoder is ended for want of images.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 * MEBIBYTE),
    "MALLOC_TRIM_THRESHOLD_": str(32 * MEBIBYTE),
    "MALLOC_TOP_PAD_": str(4 * MEBIBYTE),
}


class DecoderStarts:
    """Starts decoders that are confined as ``mode`` says."""

    def __init__(self, mode: SandboxMode) -> None:
        self._mode = mode
        self._running: set[subprocess.Popen[bytes]] = set()

    def answer(self, order: dict[str, Any], asking: Connection) -> bytes:
        """Start a decoder, hand its line to the worker, and return how it ended.

        Raises:
            ValueError: if there are very many already.
            OSError: if it cannot be started.
        """
        if len(self._running) >= MAX_RUNNING:
            raise ValueError("A worker ordered very many decoders.")
        process = self._start(order, asking)
        self._running.add(process)
        try:
            return _watch(process, asking)
        finally:
            self._running.discard(process)

    def end(self) -> None:
        """End all decoders: their worker has ended."""
        for process in tuple(self._running):
            process.kill()

    def _start(self, order: dict[str, Any], asking: Connection) -> "subprocess.Popen[bytes]":
        memory_bytes = str(int(order["memory_bytes"]))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = subprocess.Popen(
                (sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), self._mode.value, memory_bytes),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # says nothing, and closes when the process ends
                stderr=subprocess.DEVNULL,
                env=environment_without_secrets() | _ENVIRONMENT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            try:
                send_handle(asking, ours.fileno(), process.pid)
            except OSError:
                process.kill()
                raise
        return process


def _watch(process: "subprocess.Popen[bytes]", asking: Connection) -> bytes:
    """Wait until the process has ended, or the worker has let go of it; return its exit status."""
    with process:
        wait([asking, process.stdout])  # type: ignore[list-item]  # pipes have descriptors as well
        process.kill()  # which changes nothing of one that has ended
        return orjson.dumps({"status": process.wait()})
