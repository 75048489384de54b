"""How much memory there is to have: what nobody uses, and no more than the control groups allow."""

from pathlib import Path

import psutil
import pytest
import torch

from inference import free_memory
from inference.free_memory import CACHE_SHARE, LEAST_CACHE_BYTES, cache_budget, free_bytes
from tests.unit.inference.gpu import needs_gpu

CPU = torch.device("cpu")
MEBIBYTE = 1024 * 1024
NO_LIMIT_V1 = 9223372036854771712


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of control groups that the process is in as ``cgroup`` says."""
    monkeypatch.setattr(free_memory, "CGROUP_ROOT", tmp_path)
    monkeypatch.setattr(free_memory, "OWN_CGROUPS", tmp_path / "own")
    return tmp_path


def group(folder: Path, names: tuple[str, str], limit: object, used: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip((*names, "memory.stat"), (limit, used, stat), strict=True):
        (folder / name).write_text(str(value))


def test_without_limits_it_is_what_the_machine_has_left(root: Path) -> None:
    available = psutil.virtual_memory().available
    assert abs(free_bytes(CPU) - available) < 0.5 * available


@pytest.mark.parametrize("nested", ["", "service/worker"])
def test_limit_of_a_control_group_holds_also_for_those_in_it(root: Path, nested: str) -> None:
    (root / "own").write_text(f"0::/{nested}\n")
    stat = f"anon 1\ninactive_file {5 * MEBIBYTE}\n"
    group(root, ("memory.max", "memory.current"), 100 * MEBIBYTE, 30 * MEBIBYTE, stat)
    if nested:
        group(root / nested, ("memory.max", "memory.current"), "max", 20 * MEBIBYTE, stat)
    assert free_bytes(CPU) == 75 * MEBIBYTE  # cached files make room


def test_limit_of_version_1_holds(root: Path) -> None:
    (root / "own").write_text("5:cpu:/\n4:memory:/jobs\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    group(root / "memory", names, NO_LIMIT_V1, MEBIBYTE, "cache 0\n")
    group(root / "memory" / "jobs", names, 50 * MEBIBYTE, 60 * MEBIBYTE, f"total_inactive_file {20 * MEBIBYTE}\n")
    assert free_bytes(CPU) == 10 * MEBIBYTE


def test_networks_get_a_share_which_processes_divide(root: Path) -> None:
    (root / "own").write_text("0::/\n")
    group(root, ("memory.max", "memory.current"), 1000 * MEBIBYTE, 0, "")
    assert cache_budget(CPU, 1) == CACHE_SHARE * 1000 * MEBIBYTE
    assert cache_budget(CPU, 2) == CACHE_SHARE * 500 * MEBIBYTE
    assert cache_budget(CPU, 100) == LEAST_CACHE_BYTES


@needs_gpu
def test_free_memory_of_a_gpu_is_what_the_driver_says() -> None:
    before = free_bytes(torch.device("cuda:0"))
    taken = torch.empty(256 * MEBIBYTE, dtype=torch.uint8, device="cuda:0")
    assert before - free_bytes(torch.device("cuda:0")) >= taken.nbytes - 32 * MEBIBYTE
