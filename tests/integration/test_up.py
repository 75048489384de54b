"""``recoq up`` as a process: what survives a restart, what is restarted, and what it says when it cannot start."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from cli.redis_server import find_redis_binary
from config.data_folder import KEY_FILE
from demo import IMAGES_FOLDER
from tests.integration.tasks import ended_task
from tests.service import Service, running_service, service_environment, stop

IMAGE = min(IMAGES_FOLDER.glob("*.jpg")).read_bytes()
WAIT_SECONDS = 60.0
REDIS = Path(find_redis_binary()).name


def client_of(service: Service) -> httpx.Client:
    return httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}, timeout=30)


def recognise(http: httpx.Client) -> httpx.Response:
    return http.post("/recognition/public/shapes-v1/inference", files={"inputs[0]image.source": IMAGE})


def child(service: Service, words: str) -> psutil.Process:
    """Return the service's direct child whose command line holds these words, as soon as it runs."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for process in psutil.Process(service.process.pid).children():
            # One that has died stays listed until the service looks after it.
            with contextlib.suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    return process
        time.sleep(0.1)
    raise AssertionError(f"no child {words}")


def wait_until(condition) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def start(data_folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", "up"],
        env=service_environment(data_folder, **settings),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )


def test_state_survives_a_restart_and_pending_work_goes_on(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service, client_of(service) as http:
        finished = ended_task(http, recognise(http))
        assert str(service.data_folder / KEY_FILE) in service.welcome
        assert "/v0.7/docs" in service.welcome
        # Work that nobody can do before the stop: the worker is frozen, and gone with the service.
        worker = child(service, "workers")
        worker.suspend()
        pending = recognise(http).json()["task_id"]
        worker.kill()
        assert stop(service.process) == 0

    with running_service(tmp_path / "data") as service, client_of(service) as http:
        assert http.get(f"/tasks/{finished['id']}").json() == finished
        wait_until(lambda: http.get(f"/tasks/{pending}").json()["status"] != "pending")
        assert http.get(f"/tasks/{pending}").json()["status"] == "success"
        assert http.get("/recognition/public").json()["count"] == 2
        log = service.log.read_text()
    assert log.count("is unchanged") == 2


def test_killed_children_are_started_again_and_said_so(data_folder: Path) -> None:
    with running_service(data_folder) as service, client_of(service) as http:
        for words in ("workers", "-m api", REDIS):
            victim = child(service, words)
            victim.kill()
            wait_until(lambda victim=victim: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE)
        wait_until(lambda: service.log.read_text().count("starts again") >= 3)

        def answers() -> bool:
            try:
                return ended_task(http, recognise(http))["status"] == "success"
            except (httpx.HTTPError, AssertionError):
                return False

        wait_until(answers)


def test_worker_outlives_the_death_of_redis_and_goes_on(data_folder: Path) -> None:
    with running_service(data_folder) as service, client_of(service) as http:
        worker = child(service, "workers")
        for _ in range(3):
            accepted = [recognise(http).json()["task_id"] for _ in range(20)]
            child(service, REDIS).kill()
            wait_until(lambda: http.get("/tasks/0").status_code == 404)
            # What was accepted is in the append-only file, which is written once a second: the last second may be lost.
            known = [task_id for task_id in accepted if http.get(f"/tasks/{task_id}").status_code == 200]
            wait_until(lambda known=known: all(_has_ended(http, task_id) for task_id in known))
            wait_until(lambda: recognise(http).status_code == 202)
        assert worker.is_running()


def _has_ended(http: httpx.Client, task_id: str) -> bool:
    response = http.get(f"/tasks/{task_id}")
    return response.status_code == 200 and response.json()["status"] != "pending"


def test_interrupt_stops_everything(data_folder: Path) -> None:
    with running_service(data_folder) as service:
        family = psutil.Process(service.process.pid).children(recursive=True)
        assert len(family) >= 3
        os.kill(service.process.pid, signal.SIGINT)
        assert service.process.wait(WAIT_SECONDS) == 0
        wait_until(lambda: not any(process.is_running() for process in family))


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = start(tmp_path / "data", RECOQ_PORT=str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "RECOQ_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_data_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = start(tmp_path / "file" / "data")
    assert ended.returncode == 1
    assert "RECOQ_DATA" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_data_folder_in_use_is_one_sentence(tmp_path: Path, service: Service) -> None:
    ended = start(service.data_folder)
    assert ended.returncode == 1
    assert "in use by another recoq up" in ended.stderr


def test_corrupt_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "recoq.db").write_bytes(b"this is no database" * 100)
    ended = start(tmp_path / "data")
    assert ended.returncode == 1
    assert "database" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_bad_setting_is_refused_by_name(tmp_path: Path) -> None:
    ended = start(tmp_path / "data", RECOQ_PORT="eighty")
    assert ended.returncode == 1
    assert "RECOQ_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
