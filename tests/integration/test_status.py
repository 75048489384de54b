"""``recoq status`` against a running service, as a table, as JSON, and live on a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from demo import IMAGES_FOLDER
from tests.integration.tasks import ended_task
from tests.service import Service, service_environment

IMAGE = (IMAGES_FOLDER / "star.jpg").read_bytes()
TIMEOUT_SECONDS = 60.0
NETWORK = "shapes-v1"


@pytest.fixture
def work_done(http: httpx.Client) -> None:
    """Some tasks of which one fails, in the figures of the service."""
    path = f"/recognition/public/{NETWORK}/inference"
    for image in (IMAGE, IMAGE, b"this is no image"):
        ended_task(http, http.post(path, files={"inputs[0]image.source": image}))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while http.get("/operations").raise_for_status().json()["totals"]["failed"] < 1:
        assert time.monotonic() < deadline, "the figures did not come in time"
        time.sleep(0.1)


def command(service: Service, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", "status", *arguments, "--url", service.url, "--key", service.key]


def status(service: Service, *arguments: str) -> str:
    environment = service_environment(service.data_folder, COLUMNS="200")
    run = subprocess.run(
        command(service, *arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    return run.stdout


@pytest.mark.usefixtures("work_done")
def test_screen_tells_of_work_workers_networks_and_errors(service: Service) -> None:
    screen = status(service)
    for words in ("waiting or running", "last 10 min", "tasks a second", "loaded networks", NETWORK, " × "):
        assert words in screen


@pytest.mark.usefixtures("work_done")
def test_json_is_what_the_service_says(service: Service) -> None:
    operations = json.loads(status(service, "--json", "--minutes", "5"))
    assert operations["minutes"] == 5
    assert operations["totals"]["succeeded"] >= 2
    assert [worker["device"] for worker in operations["workers"]]


@pytest.mark.usefixtures("work_done")
def test_watch_shows_figures_as_they_change_until_it_is_interrupted(service: Service, http: httpx.Client) -> None:
    ours, theirs = pty.openpty()
    environment = service_environment(service.data_folder, COLUMNS="160", LINES="50", TERM="xterm")
    # An hour, because what other tests did some minutes ago would leave a shorter sum meanwhile.
    with subprocess.Popen(
        command(service, "--watch", "--minutes", "60"), env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            screens = Screens(ours)
            first = screens.accepted_other_than(None)
            path = f"/recognition/public/{NETWORK}/inference"
            ended_task(http, http.post(path, files={"inputs[0]image.source": IMAGE}))
            assert screens.accepted_other_than(first) > first
            process.send_signal(signal.SIGINT)
            screens.read_to_the_end()
            assert process.wait(TIMEOUT_SECONDS) == 0
        finally:
            process.kill()
    os.close(ours)


class Screens:
    """What a program writes to a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._written = b""

    def read_to_the_end(self) -> None:
        """Read until the program has closed the terminal: what nobody reads would hold up its end."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with suppress(OSError):  # which is how Linux tells it
            while time.monotonic() < deadline:
                if select.select([self._terminal], [], [], 0.1)[0]:
                    os.read(self._terminal, 65536)

    def accepted_other_than(self, known: int | None) -> int:
        """Return the number of accepted tasks on the screen, once it is not the one that is known."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._written += os.read(self._terminal, 65536)
            *_, before = [b"", *self._written.split(b" accepted")[:-1]]
            number = before.split()[-1:]
            if number and number[0].isdigit() and int(number[0]) != known:
                return int(number[0])
        raise AssertionError(f"The screen did not change: {self._written[-2000:]!r}")


def test_key_of_the_role_read_is_refused_in_a_sentence(service: Service) -> None:
    create = [sys.executable, "-m", "cli", "keys", "create", "--account", "visitors", "--role", "read"]
    environment = service_environment(Path(service.data_folder))
    key = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    refused = subprocess.run(
        [*command(service), "--key", key], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "answered 403" in refused.stderr
