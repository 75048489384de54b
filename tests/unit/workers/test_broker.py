"""A worker takes several messages in one round trip, and never more than it has threads for."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis
from kombu import Connection, Consumer, Message

from config.queues import Priority, TaskKind
from config.settings import read_settings
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import NewTask
from workers.broker import MOST_AT_ONCE
from workers.celery_app import create_celery_app

QUEUE = "recoq.normal.1"
Drain = Callable[[int], list[Message]]


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    with connect(empty_redis) as client:
        yield client


@pytest.fixture
def broker(empty_redis: str) -> Iterator[Connection]:
    app = create_celery_app(replace(read_settings(), redis_url=empty_redis), lambda task_id: None)
    with app.connection_for_read() as connection:
        yield connection


def submit(client: redis.Redis, count: int) -> list[str]:
    ledger = TaskLedger(client, 60)
    return [ledger.submit(NewTask(1, TaskKind.RECOGNITION, {}, [b""], Priority.NORMAL)) for _ in range(count)]


def received(broker: Connection, prefetch: int) -> list[Message]:
    """What a worker with this many threads has in hand after one turn of its loop."""
    messages: list[Message] = []
    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(QUEUE).queue], on_message=messages.append)
    consumer.qos(prefetch_count=prefetch)
    consumer.consume()
    broker.drain_events(timeout=10)
    return messages


def test_messages_behind_the_first_come_along_in_order(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 10)
    assert [message.headers["id"] for message in received(broker, 8)] == ids[:MOST_AT_ONCE]
    assert client.llen(QUEUE) == 10 - MOST_AT_ONCE


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_come_than_there_are_threads(client: redis.Redis, broker: Connection, threads: int) -> None:
    submit(client, 10)
    assert len(received(broker, threads)) == threads
    assert client.llen(QUEUE) == 10 - threads


def test_a_single_message_comes_alone(client: redis.Redis, broker: Connection) -> None:
    submit(client, 1)
    assert len(received(broker, 8)) == 1
    assert client.llen(QUEUE) == 0


def test_nothing_is_noted_in_redis_of_messages_in_hand(client: redis.Redis, broker: Connection) -> None:
    submit(client, 1)
    received(broker, 8)
    assert client.keys("unacked*") == []


def test_messages_in_hand_go_back_when_the_worker_leaves(client: redis.Redis, broker: Connection) -> None:
    submit(client, 2)
    received(broker, 8)
    broker.release()
    assert client.llen(QUEUE) == 2
