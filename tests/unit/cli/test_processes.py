"""The commands that run processes, up to the point where they become or start one."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import processes
from cli.main import main
from cli.supervisor import ChildSpec


class Became(Exception):
    """This process would be another one now."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What this process was replaced by, instead of being so."""
    calls: list[tuple[Any, ...]] = []

    def record(*arguments: Any) -> None:
        calls.append(arguments)
        raise Became

    monkeypatch.setattr(os, "execve", record)
    return calls


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_worker_becomes_the_process_of_a_worker(became: list[tuple[Any, ...]]) -> None:
    run("worker", "--device", "cuda:1")
    ((path, command, environment),) = became
    assert path == sys.executable
    assert command == (sys.executable, "-P", "-m", "workers")
    assert environment["RECOQ_DEVICE"] == "cuda:1"
    assert environment["PATH"] == os.environ["PATH"]


def test_worker_takes_its_device_from_the_settings(
    became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOQ_DEVICE", "cpu")
    run("worker")
    assert became[0][2]["RECOQ_DEVICE"] == "cpu"


def test_the_libraries_under_a_worker_have_defaults(
    became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    run("worker")
    assert became[-1][2]["GOMP_SPINCOUNT"] == "7"
    assert became[-1][2]["MALLOC_TRIM_THRESHOLD_"] == "67108864"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", ""])
def test_unknown_device_is_a_usage_error(device: str, became: list[tuple[Any, ...]]) -> None:
    result = run("worker", "--device", device)
    assert result.exit_code == 2
    assert "auto, cpu, cuda" in result.stderr
    assert not became


def test_worker_without_torch_says_what_to_install(
    became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "find_spec", lambda name: None)
    result = run("worker")
    assert result.exit_code == 1
    assert "pip install 'recoq[worker]'" in result.stderr
    assert not became


def test_several_workers_are_watched_over(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[ChildSpec] = []

    def watch(specs: Sequence[ChildSpec], say: Any) -> None:
        watched.extend(specs)

    monkeypatch.setattr(processes, "run_forever", watch)
    monkeypatch.setenv("RECOQ_DRAIN_SECONDS", "7")
    assert run("worker", "--device", "cpu", "--processes", "3").exit_code == 0
    assert [child.name for child in watched] == ["worker 1", "worker 2", "worker 3"]
    for child in watched:
        assert child.command == (sys.executable, "-P", "-m", "workers")
        assert child.environment["RECOQ_DEVICE"] == "cpu"
        assert child.stop_timeout_seconds > 7


@pytest.mark.parametrize(("count", "processes"), [("1", 0), ("4", 4)])
def test_auto_asks_how_many_the_device_keeps_busy(
    count: str, processes: int, became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[ChildSpec] = []
    monkeypatch.setattr("cli.processes.run_forever", lambda specs, say: watched.extend(specs))
    monkeypatch.setattr("cli.processes._fitting_count", lambda environment: int(count))
    run("worker", "--processes", "auto")
    assert len(watched) == processes
    environments = [child.environment for child in watched] or [became[0][2]]
    assert {environment["RECOQ_WORKER_PROCESSES"] for environment in environments} == {count}


def test_auto_is_one_process_on_a_cpu(became: list[tuple[Any, ...]]) -> None:
    result = run("worker", "--device", "cpu", "--processes", "auto")
    assert "auto: 1 for this device" in result.stderr
    assert became[0][2]["RECOQ_WORKER_PROCESSES"] == "1"


def test_auto_says_what_is_wrong_with_the_device(became: list[tuple[Any, ...]]) -> None:
    result = run("worker", "--device", "cuda:99", "--processes", "auto")
    assert result.exit_code == 1
    assert "The device cuda:99 is not there" in result.stderr
    assert not became


def test_number_of_processes_is_taken_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[ChildSpec] = []
    monkeypatch.setattr(processes, "run_forever", lambda specs, say: watched.extend(specs))
    monkeypatch.setenv("RECOQ_WORKER_PROCESSES", "2")
    run("worker")
    assert len(watched) == 2


@pytest.mark.parametrize("number", ["0", "-1", "many", ""])
def test_bad_number_of_processes_is_a_usage_error(number: str) -> None:
    result = run("worker", "--processes", number)
    assert result.exit_code == 2
    assert "auto, or a number from 1" in result.stderr


def test_migrate_creates_the_database_and_may_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path / "data"))
    for _ in range(2):
        result = run("migrate")
        assert (result.exit_code, result.stderr) == (0, "recoq: The database is up to date.\n")
    assert (tmp_path / "data" / "recoq.db").exists()
