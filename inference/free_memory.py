"""Tells how much memory there is to have: of a GPU, or of the machine as far as this process may use it.

A container or a service manager may allow a process less than the machine has; the kernel then kills it although the
machine has memory left. That limit stands in the control groups (cgroups) that the process is in.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

CACHE_SHARE = 0.5  # the rest is for batches, images that are being decoded, and whoever else uses the device
LEAST_CACHE_BYTES = 64 * 1024 * 1024

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
# Limit, use, and which line of memory.stat tells of cached files that the kernel would drop: version 2, version 1.
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_bytes(device: torch.device) -> int:
    """Return how many bytes of the device's memory nobody uses; of the machine's for a CPU."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    return min([psutil.virtual_memory().available, *_free_in_cgroups()])


def cache_budget(device: torch.device, processes: int) -> int:
    """Return how many bytes networks may take in each of so many processes that are about to share the device."""
    return max(LEAST_CACHE_BYTES, int(CACHE_SHARE * free_bytes(device)) // processes)


def _free_in_cgroups() -> Iterator[int]:
    """Yield what is left of each limit that this process is under."""
    for folder in _own_cgroups():
        for limit_name, usage_name, cached_name in FILES:
            try:
                limit = int((folder / limit_name).read_text())  # "max" is no limit
                used = int((folder / usage_name).read_text())
                cached = _line_of((folder / "memory.stat").read_text(), cached_name)
            except (OSError, ValueError):
                continue
            yield max(0, limit - used + cached)


def _own_cgroups() -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, and of the groups around them."""
    try:
        lines = OWN_CGROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = CGROUP_ROOT / controllers
            folder = root / path.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each.is_relative_to(root))


def _line_of(text: str, name: str) -> int:
    values = dict(line.split() for line in text.splitlines())
    return int(values.get(name, 0))
