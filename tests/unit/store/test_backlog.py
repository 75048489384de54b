"""What waits is bounded, and who is refused is told when to come back."""

import time
from dataclasses import replace

import orjson
import pytest
import redis

from config.queues import TaskKind
from config.settings import read_settings
from store.backlog import LONGEST_RETRY_SECONDS, MEMORY_CHECK_SECONDS, UNLIMITED, BacklogLimits
from store.errors import QueueFull, Unavailable
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome

TASK = NewTask(7, TaskKind.RECOGNITION, {"version_id": 3}, [b"12345", b"678"])
BYTES = 8 + len(orjson.dumps(TASK.request))
ANOTHERS = replace(TASK, account_id=8)


def ledger_with(client: redis.Redis, **limits: int) -> TaskLedger:
    return TaskLedger(client, 60, replace(UNLIMITED, **limits))


def end(ledger: TaskLedger, task_id: str) -> None:
    assert ledger.finish(task_id, None, Outcome(error="No."))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"tasks": 2}, "The service has as many tasks"),
        ({"account_tasks": 2}, "Your account has as many tasks"),
        ({"staged_bytes": 3 * BYTES - 1}, "images that wait"),
        ({"account_staged_bytes": 3 * BYTES - 1}, "images of your account"),
    ],
)
def test_task_beyond_a_limit_is_refused_until_one_ends(
    client: redis.Redis, limits: dict[str, int], reason: str
) -> None:
    ledger = ledger_with(client, **limits)
    first, _ = ledger.submit(TASK), ledger.submit(TASK)
    keys = set(client.keys())
    with pytest.raises(QueueFull, match=reason):
        ledger.submit(TASK)
    assert set(client.keys()) == keys
    end(ledger, first)
    ledger.submit(TASK)


def test_one_accounts_limits_leave_others_alone(client: redis.Redis) -> None:
    ledger = ledger_with(client, account_tasks=1, account_staged_bytes=BYTES)
    ledger.submit(TASK)
    ledger.submit(ANOTHERS)
    for task in (TASK, ANOTHERS):
        with pytest.raises(QueueFull):
            ledger.submit(task)


def test_nothing_is_counted_when_nothing_waits(client: redis.Redis) -> None:
    ledger = ledger_with(client)
    ended, discarded, twice = (ledger.submit(task) for task in (TASK, ANOTHERS, replace(TASK, inputs=[])))
    end(ledger, ended)
    ledger.discard(ended)
    ledger.discard(discarded)
    end(ledger, twice)
    assert not ledger.finish(twice, None, Outcome(error="Again."))
    assert client.hgetall("recoq:backlog") == {}


def test_limits_hold_for_many_at_once(client: redis.Redis) -> None:
    ledger = ledger_with(client, tasks=10)
    accepted = 0
    for _ in range(15):
        try:
            ledger.submit(TASK)
            accepted += 1
        except QueueFull:
            pass
    assert accepted == 10


def retry_after(ledger: TaskLedger) -> int:
    with pytest.raises(QueueFull) as caught:
        ledger.submit(TASK)
    return caught.value.retry_after_seconds


def test_refused_client_is_told_when_a_tenth_will_have_drained(client: redis.Redis) -> None:
    ledger = ledger_with(client, account_tasks=600)
    client.hset("recoq:backlog", mapping={"tasks:7": 600, "tasks": 600})
    assert retry_after(ledger) == LONGEST_RETRY_SECONDS  # nothing ends
    period = int(time.time() // 10)
    for past in range(-1, 5):  # five tasks a second end, and this may take a while
        client.hset(f"recoq:drained:{period - past}", mapping={"7": 50, "all": 5000})
    assert 10 <= retry_after(ledger) <= 16


def test_fast_drain_still_asks_for_a_pause(client: redis.Redis) -> None:
    ledger = ledger_with(client, tasks=1)
    for _ in range(50):
        end(ledger, ledger.submit(TASK))
    ledger.submit(TASK)
    assert retry_after(ledger) == 1


def test_tasks_are_refused_before_redis_is_full(client: redis.Redis) -> None:
    used = client.info("memory")["used_memory"]
    before = client.config_get("maxmemory")["maxmemory"]
    try:
        client.config_set("maxmemory", used * 2)
        task_id = ledger_with(client).submit(TASK)
        client.config_set("maxmemory", int(used * 1.1))
        ledger = ledger_with(client)
        with pytest.raises(QueueFull, match="no memory left") as caught:
            ledger.submit(TASK)
        assert caught.value.retry_after_seconds == LONGEST_RETRY_SECONDS
        end(ledger, task_id)  # what was accepted still ends
    finally:
        client.config_set("maxmemory", before)


def test_redis_that_was_full_and_then_away_is_asked_again_at_once(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise redis.ConnectionError("Away.")

    before = client.config_get("maxmemory")["maxmemory"]
    ledger = ledger_with(client)
    try:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.1))
        with pytest.raises(QueueFull):
            ledger.submit(TASK)
    finally:
        client.config_set("maxmemory", before)
    time.sleep(1.1 * MEMORY_CHECK_SECONDS)
    with monkeypatch.context() as patched:
        patched.setattr(client, "info", away)
        with pytest.raises(Unavailable):
            ledger.submit(TASK)
    ledger.submit(TASK)


def test_limits_come_from_the_settings() -> None:
    settings = replace(
        read_settings(),
        max_pending_tasks=1,
        max_pending_tasks_per_account=2,
        max_staged_bytes=3,
        max_staged_bytes_per_account=4,
    )
    assert BacklogLimits.of(settings) == BacklogLimits(1, 2, 3, 4)
