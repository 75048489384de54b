"""Chooses the device that a worker runs its networks on, and says how it is."""

import ctypes
import gc
import logging
import platform
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from inference.errors import reason_of

logger = logging.getLogger(__name__)

_DRIVER = "libcuda.so.1"
_SLEEP_WHILE_WAITING = 0x04  # CU_CTX_SCHED_BLOCKING_SYNC


class DeviceError(Exception):
    """The wanted device is not there; the message says what is."""


def compute_in_full_float32() -> None:
    """Make float32 mean float32 on every GPU, for the whole process.

    By default, convolutions of float32 run in TensorFloat-32 where the GPU has it, with 10 instead of 23 bits of
    mantissa. A network's outputs would then differ between machines, and from a plain script on the CPU, by a
    thousandth; and float32 is what a lower precision is compared with. Whoever wants the speed asks for ``bfloat16``,
    which is faster still, or for ``auto``.
    """
    backends: Any = torch.backends  # whose stubs lack these attributes
    backends.fp32_precision = "ieee"
    # What has been set for one kind of operation, by whatever ran before, would stand above that.
    for operations in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul):
        operations.fp32_precision = "ieee"


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


def wait_asleep(device: torch.device) -> None:
    """Have the threads of this process sleep while they wait for a GPU; to be called before it is used.

    By itself, the driver has them ask again and again, also in libraries that wait on their own, such as the decoder of
    JPEGs. Where several processes share a GPU, that takes a core from each while it computes for another one.
    (CUDA Driver API, ``cuDevicePrimaryCtxSetFlags``.)
    """
    handle = ctypes.c_int()
    try:
        driver = ctypes.CDLL(_DRIVER)
        failed = (
            driver.cuInit(0)
            or driver.cuDeviceGet(ctypes.byref(handle), device.index or 0)
            or driver.cuDevicePrimaryCtxSetFlags_v2(handle, _SLEEP_WHILE_WAITING)
        )
    except (OSError, AttributeError) as error:  # a driver of another maker, or of another time
        failed = error
    if failed:
        logger.warning("Threads that wait for %s stay awake, which takes cores: %s.", device, failed)


def wake(device: torch.device) -> None:
    """Have the device compute something: the first time takes seconds on a GPU, and one that is broken says so here.

    A worker on a broken device would fail the tasks that it takes, and so use up their attempts.

    Raises:
        DeviceError: if it does not.
    """
    try:
        torch.ones(8, 8, device=device).matmul(torch.ones(8, 8, device=device)).sum().item()
    except RuntimeError as error:
        raise DeviceError(f"The device {device} does not work: {reason_of(error)}") from error


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes: of a GPU, used by all processes; on a CPU, used by this process, of all that the machine has."""

    used_bytes: int
    total_bytes: int


def memory_of(device: torch.device) -> DeviceMemory:
    """Return how much memory the device has now; costs a few dozen microseconds."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return DeviceMemory(total - free, total)
    return DeviceMemory(psutil.Process().memory_info().rss, psutil.virtual_memory().total)


def give_back_unused(device: torch.device) -> None:
    """Give memory that nothing of this process uses any more back to the device, for a load that found none."""
    gc.collect()  # modules may be parts of cycles
    if device.type == "cuda":
        torch.cuda.empty_cache()


def name_of(device: torch.device) -> str:
    """Return what the device is called by its maker, or for a CPU the machine's architecture."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
