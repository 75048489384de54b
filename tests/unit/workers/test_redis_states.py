"""A process that takes messages from Redis outlives each of its states, says in which it is, and continues.

The one that delivers webhooks stands for all: workers take theirs through the same consumer.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.queues import TaskKind
from config.settings import Settings, read_settings
from store.accounts import Accounts
from store.database import Database
from store.errors import Unavailable
from store.migrate import migrate
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome, Webhook
from tests.receiver import Receiver, receiving
from tests.unit.store.availability.redis_servers import BINARIES, RedisServer, running_redis

STATE_SECONDS = 1.5  # in which a process that does not wait has tried a thousand times
DONE = Outcome(data=b"{}")
Steps = tuple[Callable[[RedisServer], object], Callable[[RedisServer], object]]


def forbid_pops(server: RedisServer) -> None:
    server.operator.execute_command("ACL", "SETUSER", "default", "-brpop")


def permit_pops(server: RedisServer) -> None:
    server.operator.execute_command("ACL", "SETUSER", "default", "+brpop")


STATES: dict[str, Steps] = {
    "Redis is a read-only replica": (RedisServer.demote, RedisServer.promote),
    "the access rules of Redis do not permit": (forbid_pops, permit_pops),
    "Redis cannot write to its disk": (
        RedisServer.break_disk,
        lambda server: server.set("stop-writes-on-bgsave-error", "no"),
    ),
}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis(BINARIES[0]) as server:
        yield server


@pytest.fixture
def settings(server: RedisServer, tmp_path: Path) -> Settings:
    found = replace(
        read_settings(),
        data_folder=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'recoq.db'}",
        redis_url=server.url,
    )
    migrate(found.database_url)
    return found


@pytest.fixture
def account_id(settings: Settings) -> Iterator[int]:
    database = Database(settings.database_url)
    accounts = Accounts(database)
    principal = accounts.authenticate(accounts.create_key("home", "admin"))
    assert principal is not None
    yield principal.account_id
    database.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def process(settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RECOQ_DATA": str(settings.data_folder),
        "RECOQ_REDIS_URL": settings.redis_url,
        "RECOQ_URL_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "-m", "workers.webhooks"]
    with log.open("wb") as errors, subprocess.Popen(command, env=environment, stderr=errors) as process:
        yield process
        process.kill()


def deliver(settings: Settings, account_id: int, receiver: Receiver) -> None:
    """Have a webhook delivered; right after a fault, Redis may refuse for a moment."""
    with connect(settings.redis_url) as client:
        ledger = TaskLedger(client, 60)
        end = time.monotonic() + 10
        while True:
            try:
                webhook = Webhook(receiver.url, ("success",))
                task_id = ledger.submit(NewTask(account_id, TaskKind.RECOGNITION, {}, webhook=webhook))
                break
            except Unavailable:
                assert time.monotonic() < end
                time.sleep(0.05)
        ledger.finish(task_id, None, DONE)
    receiver.wait_for(len(receiver.got) + 1)


def test_process_outlives_each_state_and_says_so_once(
    settings: Settings, account_id: int, server: RedisServer, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    with receiving() as receiver:
        deliver(settings, account_id, receiver)
        for begin, end in STATES.values():
            begin(server)
            time.sleep(STATE_SECONDS)
            end(server)
            deliver(settings, account_id, receiver)
    assert process.poll() is None
    lines = log.read_text().splitlines()
    for state in STATES:
        assert sum(state in line for line in lines) == 1, log.read_text()
    assert "Traceback" not in log.read_text()
    assert len(lines) < 10, log.read_text()
