"""Lost tasks are found, whoever lost them; those that merely wait are left alone."""

import time
from dataclasses import replace

import pytest
import redis

from config.queues import RECOVERY_QUEUE, TaskKind
from store.drain import Drain
from store.task_ledger import TaskLedger
from store.task_records import FreeTask, NewTask, Outcome
from store.task_recovery import TaskRecovery

TASK = NewTask(7, TaskKind.RECOGNITION, {"version_id": 3}, [b"image"])
QUEUE = "recoq.normal:7"
AGO_SECONDS = 60.0


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 100)


@pytest.fixture
def recovery(client: redis.Redis) -> TaskRecovery:
    return TaskRecovery(client)


def submit_long_ago(client: redis.Redis, ledger: TaskLedger, count: int = 1) -> list[str]:
    """Submit tasks that have waited for a minute, the first one longest."""
    ids = []
    for number in range(count):
        task_id = ledger.submit(TASK)
        client.zadd(f"recoq:waiting:{QUEUE}", {task_id: time.time() - AGO_SECONDS + number / 10})
        ids.append(task_id)
    return ids


def claim(ledger: TaskLedger, task_id: str, lease_seconds: float = 60):
    return ledger.claim(task_id, "w1", lease_seconds, 3)


def free(task_id: str) -> FreeTask:
    return FreeTask(task_id, TaskKind.RECOGNITION)


def test_task_of_a_dead_worker_is_found_once(ledger: TaskLedger, recovery: TaskRecovery) -> None:
    task_id = ledger.submit(TASK)
    claim(ledger, task_id, lease_seconds=-1)
    assert recovery.find_lost(60) == [free(task_id)]
    assert recovery.find_lost(60) == []


def test_renewal_does_not_bring_back_a_lease_that_was_taken_away(ledger: TaskLedger, recovery: TaskRecovery) -> None:
    task_id = ledger.submit(TASK)
    task = claim(ledger, task_id, lease_seconds=-1)
    assert recovery.find_lost(60) == [free(task_id)]
    ledger.renew([task], 60)
    assert claim(ledger, task_id) is not None


def test_task_whose_message_was_lost_is_found_though_others_wait_behind_it(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    lost, *others = submit_long_ago(client, ledger, 50)
    client.rpop(QUEUE)
    assert [recovery.find_lost(0) for _ in range(3)] == [[]] * 3  # so near to the next one that clocks may differ
    for task_id in others[:20]:
        client.rpop(QUEUE)
        claim(ledger, task_id)
    assert recovery.find_lost(0) == []  # seen for the first time: a worker may just have taken the message
    assert recovery.find_lost(0) == [free(lost)]
    assert recovery.find_lost(0) == []


def test_task_whose_message_a_worker_took_has_time_to_start(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    submit_long_ago(client, ledger)
    client.rpop(QUEUE)
    assert [recovery.find_lost(60) for _ in range(3)] == [[], [], []]


def test_task_that_started_after_its_message_was_missed_is_not_lost(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    [claimed, ended] = submit_long_ago(client, ledger, 2)
    client.delete(QUEUE)
    recovery.find_lost(60)
    claim(ledger, claimed)
    ledger.finish(ended, None, Outcome(error="Cancelled."))
    assert recovery.find_lost(0) == []
    assert client.zcard("recoq:missing") == 0


def test_many_tasks_that_wait_are_left_alone(client: redis.Redis, recovery: TaskRecovery) -> None:
    count = 100_000
    now = time.time()
    messages = [f'{{"headers": {{"id": "{number}"}}}}' for number in range(count)]
    client.lpush(QUEUE, *messages)
    client.sadd("recoq:lines", QUEUE)
    client.zadd(f"recoq:waiting:{QUEUE}", {str(number): now - 1000 + number / count for number in range(count)})
    assert [recovery.find_lost(0) for _ in range(5)] == [[]] * 5
    assert client.zcard("recoq:missing") == 0
    client.flushall()


def test_task_that_waits_in_a_queue_of_an_earlier_release_is_found(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    earlier, [task_id] = "recoq.normal.7", submit_long_ago(client, ledger)
    client.rename(QUEUE, earlier)
    client.rename(f"recoq:waiting:{QUEUE}", f"recoq:waiting:{earlier}")
    client.hset(f"recoq:task:{task_id}", "queue", earlier)
    assert recovery.find_lost(0) == []
    assert recovery.find_lost(0) == [free(task_id)]
    recovery.find_lost(0)
    assert not client.exists(earlier)


def test_message_that_is_none_of_ours_stops_nothing(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    client.lpush(QUEUE, "this is no message")
    task_id = ledger.submit(TASK)
    claim(ledger, task_id, lease_seconds=-1)
    assert recovery.find_lost(60) == [free(task_id)]


def test_lost_task_that_is_lost_again_is_found_again(
    client: redis.Redis, ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    [task_id] = submit_long_ago(client, ledger)
    client.delete(QUEUE)
    recovery.find_lost(0)
    assert recovery.find_lost(0) == [free(task_id)]
    # The reconciler dies here, before it could enqueue the task.
    client.zadd(f"recoq:waiting:{RECOVERY_QUEUE}:7", {task_id: time.time() - AGO_SECONDS})
    recovery.find_lost(0)
    assert recovery.find_lost(0) == [free(task_id)]


def test_released_task_is_free_at_once_and_counts_as_untried(ledger: TaskLedger, recovery: TaskRecovery) -> None:
    first, ended, other = (claim(ledger, ledger.submit(TASK)) for _ in range(3))
    ledger.finish(ended.id, ended.fence, Outcome(data=b"{}"))
    assert recovery.release([first, ended]) == [free(first.id)]
    again = claim(ledger, first.id)
    assert again.attempt == 1
    assert claim(ledger, other.id) is None


def test_outcome_of_a_lost_claim_is_dropped_though_a_later_one_was_given_back(
    ledger: TaskLedger, recovery: TaskRecovery
) -> None:
    frozen = claim(ledger, ledger.submit(TASK), lease_seconds=-1)
    recovery.find_lost(60)
    later = claim(ledger, frozen.id)
    recovery.release([later])  # which makes the number of attempts what it was
    assert not ledger.finish(frozen.id, frozen.fence, Outcome(error="It took too long."))
    last = claim(ledger, frozen.id)
    assert last.attempt == later.attempt
    assert not ledger.finish(frozen.id, later.fence, Outcome(error="It took too long."))
    assert ledger.finish(frozen.id, last.fence, Outcome(data=b"{}"))


@pytest.mark.parametrize("off_seconds", [-86400, 86400])
def test_clocks_of_hosts_may_differ(
    client: redis.Redis,
    ledger: TaskLedger,
    recovery: TaskRecovery,
    monkeypatch: pytest.MonkeyPatch,
    off_seconds: int,
) -> None:
    held = claim(ledger, ledger.submit(TASK))
    due = ledger.submit(replace(TASK, deadline_seconds=60))
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + off_seconds)
    waiting = ledger.submit(TASK)
    assert [recovery.find_lost(0) for _ in range(3)] == [[]] * 3
    assert ledger.end_overdue() == 0
    assert claim(ledger, held.id) is None
    assert 0 <= claim(ledger, waiting).queued_seconds < 60
    ledger.renew([held], -1)
    assert recovery.find_lost(0) == [free(held.id)]
    assert claim(ledger, due) is not None
    ledger.finish(due, None, Outcome(data=b"{}"))
    assert Drain(client).ended(1) == 1
