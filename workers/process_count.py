"""``python -m workers.process_count``: how many worker processes one device keeps busy here, for ``recoq worker``.

On a CPU that is one: torch spreads a batch over all cores, decoding runs in threads, and a second process has the same
networks in memory once more. On a GPU the interpreter is what runs out first: one process gives it no more than some
hundred images a second, because its threads take turns in everything but decoding and waiting. So there it is one
process for each two cores that the GPU can count on, within bounds, since each holds networks of its own.
"""

import sys

import torch

from config.cores import usable_cores
from config.settings import SettingsError, read_settings
from inference.device import DeviceError, choose_device

CORES_PER_PROCESS = 2
MOST_PROCESSES = 8


def process_count(device: torch.device, cores: int, gpus: int) -> int:
    """Return how many processes to run on a device of a machine with so many cores and GPUs."""
    if device.type != "cuda":
        return 1
    return min(max(1, cores // max(1, gpus) // CORES_PER_PROCESS), MOST_PROCESSES)


def main() -> int:
    """Print the number for the device of the settings; returns the exit status."""
    try:
        device = choose_device(read_settings().device)
    except (SettingsError, DeviceError) as error:
        print(error, file=sys.stderr)
        return 1
    print(process_count(device, usable_cores(), torch.cuda.device_count()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
