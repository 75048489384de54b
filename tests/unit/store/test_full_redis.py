"""A Redis that is full takes no tasks, and those that it has go on to their end, which makes room again."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from config.queues import TaskKind
from store.errors import QueueFull, Unavailable
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import FreeTask, NewTask, Outcome, TaskStatus
from store.task_recovery import TaskRecovery

ACCOUNT = 7
TASK = NewTask(ACCOUNT, TaskKind.RECOGNITION, {"version_id": 3}, [bytes(100_000)])
LARGE = Outcome(data=b'"' + b"x" * 90_000 + b'"')


@pytest.fixture
def client(client: redis.Redis) -> Iterator[redis.Redis]:
    yield client
    client.config_set("maxmemory", 0)


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 60)


def fill(client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)


def claim(ledger: TaskLedger, task_id: str, lease_seconds: float = 60):
    return ledger.claim(task_id, "w1", lease_seconds, 3)


def test_no_task_is_taken(client: redis.Redis, ledger: TaskLedger) -> None:
    fill(client)
    with pytest.raises(QueueFull):
        ledger.submit(TASK)


def test_tasks_run_and_end(client: redis.Redis, ledger: TaskLedger) -> None:
    ids = [ledger.submit(replace(TASK, deadline_seconds=seconds)) for seconds in (None, None, -1)]
    used = client.info("memory")["used_memory"]
    fill(client)
    task = claim(ledger, ids[0])
    ledger.renew([task], 60)
    assert ledger.finish(task.id, task.fence, LARGE)  # smaller than the image that it makes go
    ledger.cancel(ACCOUNT, ids[1])
    assert ledger.end_overdue() == 1
    assert [each.status for each in ledger.get_many(ACCOUNT, ids)] == [TaskStatus.SUCCESS, *[TaskStatus.ERROR] * 2]
    assert client.info("memory")["used_memory"] < used


def test_answer_that_would_need_more_room_waits_for_it(client: redis.Redis, ledger: TaskLedger) -> None:
    task = claim(ledger, ledger.submit(replace(TASK, inputs=[])))
    fill(client)
    with pytest.raises(Unavailable):
        ledger.finish(task.id, task.fence, LARGE)
    assert ledger.get(ACCOUNT, task.id).status is TaskStatus.PENDING
    client.config_set("maxmemory", 0)
    assert ledger.finish(task.id, task.fence, LARGE)


def test_lost_tasks_are_found_and_enqueued_again(client: redis.Redis, ledger: TaskLedger) -> None:
    recovery = TaskRecovery(client)
    lost, released, postponed = (claim(ledger, ledger.submit(TASK)) for _ in range(3))
    fill(client)
    ledger.renew([lost], -1)
    free = [*recovery.find_lost(60), *recovery.release([released])]
    assert free == [FreeTask(task.id, TaskKind.RECOGNITION) for task in (lost, released)]
    TaskQueue(client, ledger).resume(free)
    assert client.llen(f"recoq.recovery:{ACCOUNT}") == 2
    ledger.postpone(postponed)
    ledger.renew([postponed], -1)
    assert claim(ledger, postponed.id).attempt == 1
