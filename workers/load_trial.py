"""Has a network that nobody has loaded before tried out in another process, so that a bad one harms no worker.

What is uploaded is a program, and torch reads it with native code: loading may crash, hang, or grow until the kernel
kills someone. The trial process takes that upon itself, within limits; only what survives it is loaded by the worker.
"""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import torch

from config.settings import MEBIBYTE, environment_without_settings
from inference.errors import NetworkError
from store.errors import Unavailable
from store.records import NetworkRecord

POLL_SECONDS = 0.05
GRACE_SECONDS = 5  # by which the trial ends itself, should the worker that watches it be gone
PAGE_BYTES = 4096
LONGEST_ANSWER_BYTES = 2000

COMMAND = (sys.executable, "-P", "-m", "workers.trial_process")
OUT_OF_MEMORY = "The machine had not enough memory to load the network and run one image."


@dataclass(frozen=True)
class LoadTrial:
    """The device on which networks are tried, and how long that may take and how large it may grow."""

    device: torch.device
    timeout_seconds: float
    memory_bytes: int

    def run(self, network: NetworkRecord, folder: Path) -> None:
        """Load the files in ``folder`` and run one image, in a process of their own.

        Raises:
            NetworkError: if that does not work, with the reason.
            Unavailable: if no process can be started.
        """
        order = {
            "folder": str(folder),
            "preprocessing": network.preprocessing,
            "postprocessings": network.postprocessings,
            "device": str(self.device),
            "seconds": int(self.timeout_seconds) + GRACE_SECONDS,
        }
        try:
            process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment_without_settings(),  # a network is a program: it gets no passwords
                start_new_session=True,  # Ctrl-C is for the worker, which finishes what it has begun
            )
        except OSError as error:
            raise Unavailable("The worker could not start a process to load the network in.") from error
        with process:
            try:
                self._watch(process, orjson.dumps(order))
            finally:
                process.kill()

    def _watch(self, process: "subprocess.Popen[bytes]", order: bytes) -> None:
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(order)
        process.stdin.close()
        deadline = time.monotonic() + self.timeout_seconds
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise NetworkError(f"Loading the network and running one image took over {self.timeout_seconds:g} s.")
            if _memory_of(process.pid) > self.memory_bytes:
                limit = f"{self.memory_bytes // MEBIBYTE} MiB of memory"
                raise NetworkError(f"Loading the network and running one image took over {limit}.")
            time.sleep(POLL_SECONDS)
        answer = process.stdout.read(LONGEST_ANSWER_BYTES).decode(errors="replace")
        if answer or process.returncode:
            raise NetworkError(answer or _how_it_ended(process.returncode))


def _memory_of(pid: int) -> int:
    """Return the memory that is this process' own, without files that are mapped; 0 once it has ended."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES


def _how_it_ended(status: int) -> str:
    if status == -signal.SIGKILL:  # not by us: we say why
        return OUT_OF_MEMORY
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return f"Loading the network or running one image crashed the process that tried it ({how})."
