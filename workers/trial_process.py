"""``python -m workers.trial_process``: loads a network and runs one image through it, in a process to be spared.

:mod:`workers.load_trial` starts it, tells it on standard input what to try, and reads from standard output the sentence
that says why the network cannot be used, or nothing. A network that crashes, hangs or grows does it to this process.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import torch

from inference.device import compute_in_full_float32
from inference.errors import DeviceLostError, InferenceError
from inference.loader import load_network
from inference.network import NetworkDescription
from inference.warm_up import run_once

OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_GO = "1000"


def main() -> int:
    """Try the network that standard input names."""
    order: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    signal.alarm(order["seconds"])  # ends this process even in native code, and if nobody watches it any more
    if OOM_SCORE.exists():
        OOM_SCORE.write_text(FIRST_TO_GO)
    answer = _keep_standard_output()
    compute_in_full_float32()
    try:
        description = NetworkDescription.from_json(order["preprocessing"], order["postprocessings"])
        run_once(load_network(Path(order["folder"]), description, torch.device(order["device"])))
    except InferenceError as error:
        answer.write(str(error).encode())
    except DeviceLostError as error:
        answer.write(f"The network broke the device: {error}".encode())
    except torch.OutOfMemoryError:
        answer.write(b"The device has not enough memory for the network.")
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
