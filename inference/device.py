"""Chooses the device that a worker runs its networks on."""

import torch


class DeviceError(Exception):
    """The wanted device is not there; the message says what is."""


def choose_device(wanted: str) -> torch.device:
    """Return the device named ``wanted``: ``auto`` is the first GPU if there is one, else the CPU.

    Raises:
        DeviceError: if a GPU is wanted that this machine does not have.
    """
    gpu_count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return torch.device("cuda:0" if gpu_count else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= gpu_count:
        raise DeviceError(f"The device {wanted} is not there: this machine has {gpu_count} usable GPU(s).")
    return device
