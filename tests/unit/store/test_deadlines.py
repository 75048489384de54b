"""Deadlines: what has not started in time never starts, and leaves nothing staged."""

import time

import pytest
import redis

from config.queues import TaskKind
from store.keeper import Keeper
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome, TaskStatus

ACCOUNT = 1
PASSED = -1.0  # seconds from now
LONG_SECONDS = 20.0
SENTENCE = "Deadline exceeded before the task could start."


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 60)


def submit(ledger: TaskLedger, deadline_seconds: float | None) -> str:
    return ledger.submit(NewTask(ACCOUNT, TaskKind.RECOGNITION, {}, [b"image"], deadline_seconds=deadline_seconds))


def test_overdue_task_is_not_given_to_a_worker(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = submit(ledger, PASSED)
    assert ledger.claim(task_id, "w1", 60, 3) is None
    task = ledger.get(ACCOUNT, task_id)
    assert (task.status, task.error) == (TaskStatus.ERROR, SENTENCE)
    assert not client.exists(f"recoq:inputs:{task_id}", "recoq:deadlines")


def test_overdue_tasks_are_ended_without_any_worker(ledger: TaskLedger, client: redis.Redis) -> None:
    overdue, in_time, without = submit(ledger, PASSED), submit(ledger, 60), submit(ledger, None)
    assert ledger.end_overdue() == 1
    assert ledger.end_overdue() == 0
    assert [task.error for task in ledger.get_many(ACCOUNT, [overdue, in_time, without])] == [SENTENCE, None, None]
    assert not client.exists(f"recoq:inputs:{overdue}")


def test_task_that_has_started_in_time_may_run_past_its_deadline(ledger: TaskLedger) -> None:
    task_id = submit(ledger, 0.2)
    task = ledger.claim(task_id, "w1", 60, 3)
    assert task is not None
    time.sleep(0.25)
    assert ledger.end_overdue() == 0
    assert ledger.finish(task_id, task.fence, Outcome(data=b"{}"))


def test_ended_tasks_leave_no_deadline(ledger: TaskLedger, client: redis.Redis) -> None:
    ledger.cancel(ACCOUNT, submit(ledger, 60))
    ledger.purge(ACCOUNT, submit(ledger, 60))
    ledger.claim(submit(ledger, 60), "w1", 60, 3)
    assert client.zcard("recoq:deadlines") == 0


def test_keeper_ends_overdue_tasks_by_itself(ledger: TaskLedger) -> None:
    task_id = submit(ledger, 0.01)
    keeper = Keeper("deadlines", ledger.end_overdue)
    keeper.start()
    end = time.monotonic() + LONG_SECONDS
    while ledger.get(ACCOUNT, task_id).status is TaskStatus.PENDING:
        assert time.monotonic() < end
        time.sleep(0.02)
    keeper.stop()
