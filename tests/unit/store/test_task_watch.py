"""Waiting for the ends of tasks: woken at once, never for ever, whatever is lost on the way."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import redis

from config.queues import TaskKind
from store.errors import Unavailable
from store.redis_connection import connect
from store.task_keys import TASK_PREFIX
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome
from store.task_watch import TaskWatch

LONG_SECONDS = 60.0
WATCH_NAME = "the-watch"
DONE = Outcome(data=b"{}")


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 60)


@pytest.fixture
def watch(empty_redis: str) -> Iterator[TaskWatch]:
    with connect(empty_redis) as client:
        client.connection_pool.connection_kwargs["client_name"] = WATCH_NAME
        watch = TaskWatch(client)
        yield watch
        watch.stop()


def listens(client: redis.Redis) -> bool:
    return any(each["name"] == WATCH_NAME for each in client.client_list(_type="pubsub"))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def submit(ledger: TaskLedger) -> str:
    return ledger.submit(NewTask(1, TaskKind.RECOGNITION, {}))


def until_awaited(client: redis.Redis, task_id: str) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not client.hexists(TASK_PREFIX + task_id, "awaited"):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waits(threads: ThreadPoolExecutor, watch: TaskWatch, task_id: str) -> "Future[None]":
    return threads.submit(watch.wait, task_id, LONG_SECONDS)


def test_all_who_wait_are_woken_by_the_end_of_their_task(
    client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor
) -> None:
    first, second = submit(ledger), submit(ledger)
    waiting = [waits(threads, watch, first) for _ in range(4)]
    other = waits(threads, watch, second)
    until_awaited(client, first)
    until_awaited(client, second)
    ledger.finish(first, None, DONE)
    for each in waiting:
        each.result(LONG_SECONDS / 2)
    assert not other.done()
    ledger.finish(second, None, DONE)
    other.result(LONG_SECONDS / 2)


@pytest.mark.parametrize("end", ["cancel", "purge"])
def test_cancelled_and_purged_tasks_wake_too(
    client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor, end: str
) -> None:
    task_id = submit(ledger)
    waiting = waits(threads, watch, task_id)
    until_awaited(client, task_id)
    getattr(ledger, end)(1, task_id)
    waiting.result(LONG_SECONDS / 2)


def test_an_end_before_the_wait_is_not_missed(client: redis.Redis, ledger: TaskLedger, watch: TaskWatch) -> None:
    """A task may end between its acceptance and the wait, which asks nobody any more: the ledger knows the channel."""
    channel = watch.channel()
    while not listens(client):
        time.sleep(0.005)
    task_id = ledger.submit(NewTask(1, TaskKind.RECOGNITION, {}, awaited_on=channel))
    ledger.finish(task_id, None, DONE)
    start = time.monotonic()
    watch.wait(task_id, LONG_SECONDS, announced=True)
    assert time.monotonic() - start < LONG_SECONDS / 2


def test_the_watches_of_several_processes_are_told(
    empty_redis: str, client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor
) -> None:
    with connect(empty_redis) as second_client:
        second = TaskWatch(second_client)
        task_id = ledger.submit(NewTask(1, TaskKind.RECOGNITION, {}, awaited_on=watch.channel()))
        waiting = [
            threads.submit(watch.wait, task_id, LONG_SECONDS, announced=True),
            threads.submit(second.wait, task_id, LONG_SECONDS),
        ]
        while len((client.hget(TASK_PREFIX + task_id, "awaited") or b"").split()) < 2:
            time.sleep(0.005)
        ledger.finish(task_id, None, DONE)
        for each in waiting:
            each.result(LONG_SECONDS / 2)
        second.stop()


def test_lost_message_costs_a_second_and_not_the_result(
    client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor
) -> None:
    task_id = submit(ledger)
    waiting = waits(threads, watch, task_id)
    until_awaited(client, task_id)
    client.hdel(TASK_PREFIX + task_id, "awaited")  # so that nothing is published
    ledger.finish(task_id, None, DONE)
    waiting.result(LONG_SECONDS / 2)


def test_watch_that_lost_its_connection_hears_again(
    client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor
) -> None:
    for _ in range(2):
        task_id = submit(ledger)
        waiting = waits(threads, watch, task_id)
        until_awaited(client, task_id)
        client.client_kill_filter(_type="pubsub")
        ledger.finish(task_id, None, DONE)
        waiting.result(LONG_SECONDS / 2)
    deadline = time.monotonic() + LONG_SECONDS
    while not listens(client):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_task_that_has_ended_or_is_gone_is_not_waited_for(ledger: TaskLedger, watch: TaskWatch) -> None:
    task_id = submit(ledger)
    ledger.finish(task_id, None, DONE)
    watch.wait(task_id, LONG_SECONDS)
    watch.wait("424242", LONG_SECONDS)


def test_wait_ends_after_its_time_and_is_forgotten(ledger: TaskLedger, watch: TaskWatch) -> None:
    start = time.monotonic()
    watch.wait(submit(ledger), 0.05)
    assert time.monotonic() - start >= 0.05


def test_watch_that_stops_lets_all_go(
    client: redis.Redis, ledger: TaskLedger, watch: TaskWatch, threads: ThreadPoolExecutor
) -> None:
    task_id = submit(ledger)
    waiting = waits(threads, watch, task_id)
    until_awaited(client, task_id)
    watch.stop()
    waiting.result(LONG_SECONDS / 2)
    watch.wait(task_id, LONG_SECONDS)


def test_redis_that_is_away_is_one_clear_error() -> None:
    with connect("redis://127.0.0.1:1/0") as client:
        watch = TaskWatch(client)
        with pytest.raises(Unavailable):
            watch.wait("1", LONG_SECONDS)
        watch.stop()
