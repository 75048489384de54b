"""``python -m workers``: starts a worker's companions, and then becomes the worker, as ``recoq worker`` asks for it.

What may start processes, connect anywhere or write weights is started here. The worker, :mod:`workers.main`, takes the
place of this process with the same ID; its environment has the addresses and passwords of Redis and the database, and
no other ones.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from config.log_setup import set_up_logging
from config.private_files import keep_private
from config.settings import Settings, SettingsError, environment_without_secrets, read_settings
from store.weights import local_weights_folder
from workers.companions.start import Scratch, start_companions

_UNIFIED_MEMORY = Path("/dev/nvidia-uvm")


def main() -> NoReturn:
    """Become a worker with the settings of the environment."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.exit(str(error))
    set_up_logging(settings.log_level)
    keep_private(settings.data_folder)
    _make_weights_folder(settings)
    _make_gpu_devices(settings)
    scratch = Scratch(Path(tempfile.mkdtemp(prefix="recoq-worker-")))
    scratch.of_worker.mkdir()
    lines = start_companions(settings, scratch)
    for line in lines.values():
        line.set_inheritable(True)
    arguments = [f"{name}={line.fileno()}" for name, line in lines.items()]
    command = [sys.executable, "-P", "-m", "workers.main", *arguments]
    environment = environment_without_secrets("RECOQ_", "PG") | {"TMPDIR": str(scratch.of_worker)}
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter


def _make_weights_folder(settings: Settings) -> None:
    """Make the folder that the worker is to read, so that the kernel can be told of it."""
    try:
        local_weights_folder(settings).mkdir(parents=True, exist_ok=True)
    except OSError:  # it is not there yet, or not ours to make: loading says so
        return


def _make_gpu_devices(settings: Settings) -> None:
    """Make the device files that CUDA makes when it first starts, by a program that a worker may not run."""
    program = shutil.which("nvidia-modprobe")
    if settings.device != "cpu" and program and not _UNIFIED_MEMORY.exists():
        subprocess.run((program, "-c", "0", "-u"), check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
