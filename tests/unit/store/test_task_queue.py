"""What waits in the queues: messages that name the task, where its priority and its account put it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from celery import Celery

from config.celery_options import celery_options
from config.queues import RECOVERY_QUEUE, Priority, TaskKind
from config.settings import read_settings
from store.errors import Unavailable
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import FreeTask, NewTask
from store.task_recovery import TaskRecovery
from store.turns import Taken

TASK = NewTask(1, TaskKind.RECOGNITION, {}, [b"image"])
QUEUE = "recoq.normal"
LINE = "recoq.normal:1"
VARYING = ("origin",)  # the process that made the message
VARYING_PROPERTIES = ("reply_to", "delivery_tag", "body_encoding")


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 60)


@pytest.fixture
def celery(empty_redis: str) -> Iterator[Celery]:
    with Celery("recoq", set_as_current=False) as app:
        app.conf.update(celery_options(replace(read_settings(), redis_url=empty_redis)))
        yield app


def test_accepted_task_is_announced_as_celery_would(client: redis.Redis, ledger: TaskLedger, celery: Celery) -> None:
    task_id = ledger.submit(TASK)
    celery.send_task(
        "recoq.recognise",
        args=(task_id,),
        task_id=task_id,
        queue=QUEUE,
        ignore_result=True,
    )
    [theirs] = (json.loads(raw) for raw in client.lrange(QUEUE, 0, -1))
    [ours] = (json.loads(message_of(raw)) for raw in client.lrange(LINE, 0, -1))
    assert constant(ours["headers"]) == constant(theirs["headers"])
    assert constant(ours["properties"]) == constant(theirs["properties"])
    assert ours["properties"]["delivery_tag"] != theirs["properties"]["delivery_tag"]
    assert (ours["content-type"], ours["content-encoding"]) == (theirs["content-type"], theirs["content-encoding"])


def message_of(element: bytes) -> bytes:
    """Return the message of an element of a line, which is a cost and a message."""
    [message] = Taken("", 1, [element]).messages
    return message


def constant(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in VARYING + VARYING_PROPERTIES}


def test_celery_reads_the_message(client: redis.Redis, ledger: TaskLedger, celery: Celery) -> None:
    task_id = ledger.submit(TASK)
    client.lpush(QUEUE, message_of(client.rpop(LINE)))
    with celery.connection_for_read() as connection, connection.SimpleQueue(QUEUE) as queue:
        message = queue.get(timeout=10)
        assert message.payload[0] == [task_id]
        assert message.headers["id"] == task_id
        message.ack()
    assert client.llen(QUEUE) == 0


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (replace(TASK, priority=Priority.HIGH), "recoq.high:1"),
        (replace(TASK, account_id=18, priority=Priority.LOW), "recoq.low:18"),
        (replace(TASK, kind=TaskKind.DEPLOYMENT), "recoq.deployment:1"),
    ],
)
def test_task_waits_by_its_priority_and_account(
    client: redis.Redis, ledger: TaskLedger, task: NewTask, expected: str
) -> None:
    ledger.submit(task)
    assert client.llen(expected) == 1
    assert TaskQueue(client, ledger).depth() == 1


def test_resumed_tasks_go_ahead_of_those_that_wait(client: redis.Redis, ledger: TaskLedger) -> None:
    TaskQueue(client, ledger).resume([FreeTask("5", TaskKind.TENSORS), FreeTask("6", TaskKind.RECOGNITION)])
    first, second = (json.loads(message_of(raw)) for raw in reversed(client.lrange(f"{RECOVERY_QUEUE}:0", 0, -1)))
    assert (first["headers"]["task"], first["headers"]["id"]) == ("recoq.infer_tensors", "5")
    assert (second["headers"]["task"], second["headers"]["id"]) == ("recoq.recognise", "6")
    assert first["properties"]["delivery_tag"] != second["properties"]["delivery_tag"]


def test_no_task_to_resume_is_no_request(client: redis.Redis, ledger: TaskLedger) -> None:
    TaskQueue(client, ledger).resume([])
    assert client.keys(f"{RECOVERY_QUEUE}*") == []


def test_task_whose_message_is_lost_is_found(client: redis.Redis, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    client.rpop(LINE)
    client.zadd(f"recoq:waiting:{LINE}", {task_id: 0})
    recovery = TaskRecovery(client)
    recovery.find_lost(0)
    assert recovery.find_lost(0) == [FreeTask(task_id, TaskKind.RECOGNITION)]


def test_task_that_cannot_be_recorded_is_not_accepted() -> None:
    with connect("redis://127.0.0.1:1/0") as away, pytest.raises(Unavailable):
        TaskLedger(away, 60).submit(TASK)
