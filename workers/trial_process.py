"""``python -m workers.trial_process``: loads a network and runs one image through it, in a process to be spared.

:mod:`workers.companions.launcher` starts it, tells it on standard input what to try, and reads from standard output the
sentence that says why the network cannot be used, or nothing. A network that crashes, hangs or grows does it to this
process, and one that reaches for files or connections finds the kernel in its way.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from config.settings import read_settings
from workers.sandbox import profiles
from workers.sandbox.confinement import SandboxError, confine

OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_GO = "1000"


def main() -> int:
    """Try the network that standard input names; returns the exit status."""
    order: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    signal.alarm(order["alarm_seconds"])  # ends this process even in native code, and if nobody watches it any more
    if OOM_SCORE.exists():
        OOM_SCORE.write_text(FIRST_TO_GO)
    answer = _keep_standard_output()
    folder, device = Path(order["folder"]), order["device"]
    try:
        # Before torch is imported, which starts threads.
        confine(profiles.trial(folder, Path(order["scratch"]), on_gpu=device != "cpu"), read_settings().sandbox)
    except SandboxError as error:
        answer.write(str(error).encode())
    else:
        from workers.trial import reason_against  # noqa: PLC0415 - it imports torch

        answer.write(reason_against(folder, order["preprocessing"], order["postprocessings"], device).encode())
    answer.flush()
    os._exit(0)  # what a broken network left behind is not torn down piece by piece


def _keep_standard_output() -> BinaryIO:
    """Return a private copy of standard output; what the network prints goes nowhere."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    return answer


if __name__ == "__main__":
    sys.exit(main())
