"""``python -m workers.companions.launcher``: starts trials and decoders for a worker that may start nothing.

It was started before the worker was confined, knows no passwords, and reads nothing of an upload: it hands an order on
to the trial's process (:mod:`workers.trial_process`), watches its clock and its memory, and returns what it says.
"""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson

from config.settings import MEBIBYTE, environment_without_secrets
from workers.companions.decoder_starts import DecoderStarts
from workers.companions.process import begin, serve

POLL_SECONDS = 0.05
GRACE_SECONDS = 5  # by which the trial ends itself, should nobody watch it any more
PAGE_BYTES = 4096
MAX_ANSWER_BYTES = 2000

COMMAND = (sys.executable, "-P", "-m", "workers.trial_process")
OUT_OF_MEMORY = "The machine had not enough memory to load the network and run one image."
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


class Launcher:
    """Runs trials of networks whose files lie below ``weights``, each with a folder of its own in ``scratch``."""

    def __init__(self, weights: Path, scratch: Path, decoders: DecoderStarts) -> None:
        self._weights = weights.resolve()
        self._scratch = scratch
        self._decoders = decoders

    def answer(self, question: bytes, asking: Connection) -> bytes:
        """Start the decoder that a question asks for, or try the network that it describes.

        Returns:
            How the decoder ended; or the sentence that says why the network cannot be used, or nothing.

        Raises:
            ValueError: if the question is not about a network of the store.
            OSError: if the process cannot be started.
        """
        order = orjson.loads(question)
        if order.get("start") == "decoder":
            return self._decoders.answer(order, asking)
        folder = Path(order["folder"]).resolve()
        # A worker that has been taken over must not have its trials read anything else.
        if folder.parent != self._weights or not _DEVICE.fullmatch(order["device"]):
            raise ValueError("A trial was ordered of something that is no network.")
        with tempfile.TemporaryDirectory(prefix="trial-", dir=self._scratch, ignore_cleanup_errors=True) as scratch:
            environment = environment_without_secrets("RECOQ_SANDBOX") | {"TMPDIR": scratch, "HOME": scratch}
            with subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=scratch,
                start_new_session=True,
            ) as process:
                try:
                    return _watch(process, order | {"scratch": scratch}, asking)
                finally:
                    process.kill()


def _watch(process: "subprocess.Popen[bytes]", order: dict[str, Any], asking: Connection) -> bytes:
    assert process.stdin is not None  # noqa: S101  # it is a pipe
    assert process.stdout is not None  # noqa: S101
    seconds, memory_bytes = order["timeout_seconds"], order["memory_bytes"]
    process.stdin.write(orjson.dumps(order | {"alarm_seconds": int(seconds) + GRACE_SECONDS}))
    process.stdin.close()
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return f"Loading the network and running one image took over {seconds:g} s.".encode()
        if _memory_of(process.pid) > memory_bytes:
            limit = f"{memory_bytes // MEBIBYTE} MiB of memory"
            return f"Loading the network and running one image took over {limit}.".encode()
        if asking.poll(POLL_SECONDS):  # the worker has nothing to add: it has ended
            return b""
    answer = process.stdout.read(MAX_ANSWER_BYTES)
    return answer or _how_it_ended(process.returncode)


def _memory_of(pid: int) -> int:
    """Return the memory that is this process' own, without files that are mapped; 0 once it has ended."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES


def _how_it_ended(status: int) -> bytes:
    if status == 0:
        return b""
    if status == -signal.SIGKILL:  # not by us: we say why
        return OUT_OF_MEMORY.encode()
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return f"Loading the network or running one image crashed the process that tried it ({how}).".encode()


def main() -> None:
    """Answer a worker's questions until it ends."""
    line, settings = begin()
    weights, scratch = map(Path, sys.argv[2:])
    decoders = DecoderStarts(settings.sandbox)
    try:
        serve(line, Launcher(weights, scratch, decoders).answer)
    finally:
        decoders.end()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
