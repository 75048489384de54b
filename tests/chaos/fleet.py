"""A service whose parts can be killed, frozen and restarted one by one: Redis, the API, several workers, and webhooks.

Unlike ``recoq up``, nothing here restarts by itself: the test decides what dies, when, and for how long.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

from cli.publishing import publish_folder
from cli.redis_server import RedisLaunch, free_loopback_port, wait_for_redis
from config.settings import read_settings
from demo import IMAGES_FOLDER, MODELS_FOLDER
from store.accounts import Accounts
from store.database import Database
from store.errors import Unavailable
from store.migrate import migrate
from store.telemetry.heartbeats import Heartbeats
from tests.redis_servers import prepare_test_redis
from tests.service import service_environment

MODEL = "shapes-v1"
INFERENCE = f"/recognition/public/{MODEL}/inference"
IMAGE_FILES = sorted(IMAGES_FOLDER.glob("*.jpg"))
IMAGES = [path.read_bytes() for path in IMAGE_FILES]
START_SECONDS = 120.0
POLL_SECONDS = 0.02
LOOPBACK = "127.0.0.0/8"


def wait_until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return when the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(POLL_SECONDS)


@dataclass
class Process:
    """A process of the fleet that can be brought down and up again."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    @property
    def ended(self) -> bool:
        return self.running is None or self.running.poll() is not None

    def send(self, number: int) -> None:
        if not self.ended:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self.running is not None:
            self.running.wait()

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        self.send(signal.SIGTERM)


@dataclass
class Fleet:
    """The running parts, and how to reach them."""

    folder: Path
    launch: RedisLaunch
    redis: Process
    api: Process
    webhooks: Process  # started by those who need it
    workers: list[Process]
    url: str
    key: str
    settings: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def http(self, timeout_seconds: float = 30.0) -> Iterator[httpx.Client]:
        headers = {"X-API-KEY": self.key}
        with httpx.Client(
            base_url=f"{self.url}/v0.7", headers=headers, timeout=timeout_seconds, trust_env=False
        ) as client:
            yield client

    @contextmanager
    def ledger(self) -> Iterator[redis.Redis]:
        with redis.Redis.from_url(self.launch.url, socket_timeout=10) as client:
            yield client

    def restart_redis(self) -> None:
        self.redis.start()
        wait_for_redis(self.launch.url)

    def add_worker(self) -> Process:
        # By the command that operators use: it says to the libraries of a worker what they must not guess.
        worker = self.process("cli", f"worker-{len(self.workers)}", "worker")
        worker.start()
        self.workers.append(worker)
        return worker

    def process(self, module: str, name: str, *arguments: str) -> Process:
        command = (sys.executable, "-P", "-m", module, *arguments)
        return Process(command, self.settings, self.folder / f"{name}.log")

    def living_workers(self) -> list[Process]:
        """Return the workers whose hearts have beaten lately."""
        try:
            with self.ledger() as ledger:
                beating = {beat.process_id for beat in Heartbeats(ledger).living()}
        except (Unavailable, redis.RedisError):
            return []
        return [worker for worker in self.workers if not worker.ended and worker.pid in beating]

    def worker_of(self, task_id: str) -> Process | None:
        """Return the living worker that holds the task now."""
        with self.ledger() as ledger:
            holder = ledger.hget(f"recoq:task:{task_id}", "worker")
            leased = ledger.zscore("recoq:leases", task_id)
        if holder is None or leased is None or leased < time.time():
            return None
        pid = int(holder.decode().rpartition("-")[2])
        return next((worker for worker in self.workers if not worker.ended and worker.pid == pid), None)

    def stop(self) -> None:
        parts = [*self.workers, self.webhooks, self.api, self.redis]
        for part in parts:
            part.stop()
        for part in parts:
            if part.running is not None:
                try:
                    part.running.wait(20)
                except subprocess.TimeoutExpired:
                    part.kill()


@contextmanager
def running_fleet(folder: Path, *, workers: int, append_fsync: str = "everysec", **settings: str) -> Iterator[Fleet]:
    """Run a fleet with the classifier of the demo deployed while the block runs."""
    folder.mkdir()
    launch = prepare_test_redis(folder / "redis", append_fsync=append_fsync)
    port = str(free_loopback_port())
    environment = service_environment(
        folder,
        RECOQ_REDIS_URL=launch.url,
        RECOQ_PORT=port,
        RECOQ_URL_ALLOWED_NETWORKS=LOOPBACK,
        RECOQ_WORKER_THREADS="8",
        **settings,
    )
    redis_server = Process(launch.command, environment, folder / "redis.out")
    url = f"http://127.0.0.1:{port}"
    fleet = Fleet(folder, launch, redis_server, redis_server, redis_server, [], url, "", environment)
    fleet.api = fleet.process("cli", "api", "api")
    fleet.webhooks = fleet.process("workers.webhooks", "webhooks")
    try:
        _start(fleet, workers)
        yield fleet
    finally:
        fleet.stop()


def _start(fleet: Fleet, workers: int) -> None:
    fleet.restart_redis()
    database_url = f"sqlite:///{fleet.folder / 'recoq.db'}"
    migrate(database_url)
    with closing(Database(database_url)) as database:
        fleet.key = Accounts(database).create_key("default", "admin")
    fleet.api.start()
    for _ in range(workers):
        fleet.add_worker()
    publish_folder(_settings_of(fleet), MODELS_FOLDER / MODEL, timeout_seconds=START_SECONDS)
    with fleet.http() as http:
        wait_until(lambda: _answers(http))


def _settings_of(fleet: Fleet):
    names = {name: value for name, value in fleet.settings.items() if name.startswith("RECOQ_")}
    with _environment(names):
        return read_settings()


@contextmanager
def _environment(names: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/accounts/me").status_code == 200
    except httpx.TransportError:
        return False
