"""Publishing task IDs: the message names the task that the workers know, and a dead broker leaves nothing behind."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from config.queues import RECOVERY_QUEUE, Priority, TaskKind
from config.settings import read_settings
from store.errors import Unavailable
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import FreeTask, NewTask
from store.task_recovery import TaskRecovery

TASK = NewTask(1, TaskKind.RECOGNITION, {}, [b"image"])


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    with connect(empty_redis) as client:
        yield client


def make_queue(client: redis.Redis, broker_url: str) -> TaskQueue:
    settings = replace(read_settings(), redis_url=broker_url)
    return TaskQueue(settings, client, TaskLedger(client, 60))


def test_submitted_task_is_announced_by_id_alone(client: redis.Redis, empty_redis: str) -> None:
    queue = make_queue(client, empty_redis)
    task_id = queue.submit(TASK)
    message = json.loads(client.lindex("recoq.normal.1", 0))
    assert message["headers"]["task"] == "recoq.recognise"
    assert message["headers"]["id"] == task_id
    assert json.loads(base64.b64decode(message["body"]))[0] == [task_id]
    assert queue.depth() == 1
    queue.close()


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (replace(TASK, priority=Priority.HIGH), "recoq.high.1"),
        (replace(TASK, account_id=18, priority=Priority.LOW), "recoq.low.2"),
        (replace(TASK, kind=TaskKind.DEPLOYMENT), "recoq.deployment"),
    ],
)
def test_task_waits_by_its_priority_and_account(
    client: redis.Redis, empty_redis: str, task: NewTask, expected: str
) -> None:
    queue = make_queue(client, empty_redis)
    queue.submit(task)
    assert client.llen(expected) == 1
    queue.close()


def test_resumed_task_goes_ahead_of_those_that_wait(client: redis.Redis, empty_redis: str) -> None:
    queue = make_queue(client, empty_redis)
    queue.resume(FreeTask("5", TaskKind.TENSORS))
    message = json.loads(client.lindex(RECOVERY_QUEUE, 0))
    assert (message["headers"]["task"], message["headers"]["id"]) == ("recoq.infer_tensors", "5")
    queue.close()


def test_task_that_could_not_be_announced_is_accepted_and_found(client: redis.Redis) -> None:
    queue = make_queue(client, "redis://127.0.0.1:1/0")
    task_id = queue.submit(TASK)
    client.zadd("recoq:waiting:recoq.normal.1", {task_id: 0})
    recovery = TaskRecovery(client)
    recovery.find_lost(0)
    assert recovery.find_lost(0) == [FreeTask(task_id, TaskKind.RECOGNITION)]
    queue.close()


def test_messages_go_on_after_a_restart_of_redis(client: redis.Redis, empty_redis: str) -> None:
    queue = make_queue(client, empty_redis)
    queue.submit(TASK)
    for connection in client.client_list():
        if connection["id"] != str(client.client_id()):
            client.client_kill_filter(connection["id"])
    queue.submit(TASK)
    assert client.llen("recoq.normal.1") == 2
    queue.close()


def test_task_that_cannot_be_recorded_is_not_accepted() -> None:
    with connect("redis://127.0.0.1:1/0") as away:
        queue = make_queue(away, "redis://127.0.0.1:1/0")
        with pytest.raises(Unavailable):
            queue.submit(TASK)
        queue.close()
