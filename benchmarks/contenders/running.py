"""Starts the other servers, waits until they answer, and stops them with all their processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.photos import jpegs
from cli.redis_server import free_loopback_port, prepare_redis, wait_for_redis
from cli.worker_environment import HEAP
from config.settings import child_environment

START_SECONDS = 120.0
TRY_SECONDS = 15.0
STOP_SECONDS = 20.0
API_PROCESSES = 2
API_THREADS = 16
APP = "benchmarks.contenders.flask_celery_app"


@contextmanager
def litserve(builder: str, precision: str, form: str, batch_size: int, folder: Path) -> Iterator[str]:
    """Run LitServe; gives its URL."""
    port = free_loopback_port()
    arguments = [builder, precision, form, str(batch_size), str(port)]
    with _running(
        [sys.executable, "-m", "benchmarks.contenders.litserve_server", *arguments], {}, folder / "litserve.log"
    ):
        url = f"http://127.0.0.1:{port}"
        _wait_until_answering(url)
        yield url


@contextmanager
def flask_celery(builder: str, precision: str, form: str, folder: Path) -> Iterator[str]:
    """Run Flask under gunicorn, Celery with a process for each core, and their Redis; gives Flask's URL."""
    port, redis = free_loopback_port(), prepare_redis(folder / "tutorial-redis", over_tcp=True)
    settings = {"BUILDER": builder, "PRECISION": precision, "FORM": form, "REDIS_URL": redis.url}
    log = folder / "flask-celery.log"
    gunicorn = ["gunicorn", f"{APP}:web", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    gunicorn += ["--workers", str(API_PROCESSES), "--threads", str(API_THREADS), "--log-level", "warning"]
    celery = ["celery", "-A", f"{APP}:celery", "worker", "--concurrency", str(os.cpu_count()), "--loglevel", "warning"]
    with ExitStack() as processes:
        processes.enter_context(_running(redis.command, {}, log))
        wait_for_redis(redis.url)
        for command in (gunicorn, celery):
            processes.enter_context(_running([sys.executable, "-m", *command], settings, log))
        url = f"http://127.0.0.1:{port}"
        _wait_until_answering(url)
        yield url


@contextmanager
def _running(command: list[str], settings: dict[str, str], log: Path) -> Iterator[None]:
    """Run a command in a session of its own while the block runs, and end all of that session afterwards."""
    with log.open("a") as output:
        process = subprocess.Popen(
            command, env=child_environment({**HEAP, **settings}), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        _kill_session(process.pid)
        process.wait()


def _kill_session(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _wait_until_answering(url: str) -> None:
    """Post an image until one is taken."""
    image, deadline = jpegs()[0], time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.post(f"{url}/predict", files={"image": image}, timeout=TRY_SECONDS).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"{url} did not answer.")
