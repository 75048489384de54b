"""Has a network that nobody has loaded before tried out in another process, so that a bad one harms no worker.

What is uploaded is a program, and torch reads it with native code: loading may crash, hang, or grow until the kernel
kills someone. The trial takes that upon itself, confined and within limits; only what survives it is loaded by the
worker. :mod:`workers.companions.launcher` starts it and watches it.
"""

from dataclasses import dataclass
from pathlib import Path

import orjson
import torch

from inference.errors import NetworkError
from store.errors import Unavailable
from store.records import NetworkRecord
from workers.companions.channel import Companion, CompanionGone


@dataclass(frozen=True)
class LoadTrial:
    """The device on which networks are tried, how long that may take and how large it may grow, and who starts it."""

    device: torch.device
    timeout_seconds: float
    memory_bytes: int
    launcher: Companion

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
            "timeout_seconds": self.timeout_seconds,
            "memory_bytes": self.memory_bytes,
        }
        try:
            reason = self.launcher.ask(orjson.dumps(order)).decode(errors="replace")
        except CompanionGone as error:
            raise Unavailable("The worker could not start a process to load the network in.") from error
        if reason:
            raise NetworkError(reason)
