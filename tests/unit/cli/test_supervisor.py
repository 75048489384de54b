"""Supervision of real child processes: restart with a growing delay, and an orderly stop."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cli import supervisor as module
from cli.supervisor import ChildSpec, Supervisor
from config.settings import child_environment

WAIT_SECONDS = 20.0


def python_child(name: str, code: str, stop_timeout_seconds: float = 5, *, stops_last: bool = False) -> ChildSpec:
    command = (sys.executable, "-c", code)
    return ChildSpec(name, command, child_environment({}), stop_timeout_seconds, stops_last)


def wait_until(condition) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_child_that_dies_is_started_again_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_SECONDS", 0.05)
    lives = tmp_path / "lives"
    said: list[str] = []
    supervisor, stop = Supervisor(said.append), threading.Event()
    code = f"open({str(lives)!r}, 'a').write('x'); raise SystemExit(3)"
    child = python_child("mayfly", code)
    supervisor.start(child)

    def stop_after_three_lives() -> None:
        wait_until(lambda: lives.exists() and len(lives.read_text()) >= 3)
        stop.set()

    watcher = threading.Thread(target=stop_after_three_lives)
    watcher.start()
    supervisor.run(stop)
    watcher.join()
    assert said[0].startswith("mayfly died (exit status 3). It starts again in")


def test_delay_between_restarts_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_spawn", lambda spec: subprocess.Popen(["false"]))
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.start(python_child("mayfly", ""))
    child = supervisor._children[0]
    for _ in range(7):
        child.process.wait()
        supervisor._look_after(child)  # notices the death
        child.restart_at = 0.0
        supervisor._look_after(child)  # starts it again
    child.process.wait()
    assert [line.rsplit(" in ", 1)[1] for line in said] == ["1 s.", "2 s.", "4 s.", "8 s.", "16 s.", "30 s.", "30 s."]


def delays(monkeypatch: pytest.MonkeyPatch, lives: list[float]) -> list[str]:
    """Return what is said of the delays of a child that lives for so many seconds, one life after the other."""
    now = 1000.0
    monkeypatch.setattr(module, "_spawn", lambda spec: subprocess.Popen(["false"]))
    monkeypatch.setattr(module, "monotonic", lambda: now)
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.start(python_child("mayfly", ""))
    child = supervisor._children[0]
    for life in lives:
        child.process.wait()
        now += life
        supervisor._look_after(child)
        now = child.restart_at or now
        supervisor._look_after(child)
    child.process.wait()
    return [line.rsplit(" in ", 1)[1].removesuffix(" s.") for line in said]


def test_delay_starts_anew_after_ten_seconds_of_health(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delays(monkeypatch, [1, 1, 1, 10, 1]) == ["1", "2", "4", "1", "2"]


def test_child_that_is_killed_every_ten_seconds_is_back_after_the_first_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delays(monkeypatch, [20, 8.5, 8.5, 8.5, 8.5]) == ["1"] * 5


def test_long_delay_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delays(monkeypatch, [1] * 8) == ["1", "2", "4", "8", "16", "30", "30", "30"]


def test_child_that_others_use_stops_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor(lambda _: None)
    for name in ("first", "second"):
        code = (
            "import signal, sys, pathlib, time\n"
            f"log = open({str(log)!r}, 'a', buffering=1)\n"
            f"signal.signal(signal.SIGTERM, lambda *_: (log.write('{name} stopped\\n'), sys.exit()))\n"
            f"log.write('{name} ready\\n')\n"
            "while True: time.sleep(0.05)\n"
        )
        supervisor.start(python_child(name, code, stops_last=name == "first"))
    wait_until(lambda: log.exists() and log.read_text().count("ready") == 2)
    supervisor.stop()
    assert log.read_text().splitlines()[2:] == ["second stopped", "first stopped"]


def test_child_that_does_not_stop_is_killed_and_said_so(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    said: list[str] = []
    supervisor = Supervisor(said.append)
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(ready)!r}, 'w').close()\ntime.sleep(60)"
    )
    supervisor.start(python_child("deaf", code, stop_timeout_seconds=0.2))
    wait_until(ready.exists)
    supervisor.stop()
    assert said == ["deaf did not stop in time and was killed."]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_children_of_a_killed_supervisor_do_not_stay_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    grandchild = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys, threading\nfrom cli.supervisor import ChildSpec, run_forever\n"
        "from config.settings import child_environment\n"
        f"run_forever([ChildSpec('c', (sys.executable, '-c', {grandchild!r}), child_environment({{}}))], print)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        wait_until(lambda: pid_file.exists() and pid_file.read_text())
        parent.send_signal(signal.SIGKILL)
    pid = int(pid_file.read_text())
    wait_until(lambda: not _is_running(pid))


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
