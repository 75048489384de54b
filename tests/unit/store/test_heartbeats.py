"""Workers that live are listed with their latest heartbeat; those that stopped or died are not."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from store.redis_connection import connect
from store.telemetry.heartbeats import EXPIRY_SECONDS, WORKER_PREFIX, Heartbeat, Heartbeats

BEAT = Heartbeat(
    worker="host-1",
    host="host",
    process_id=1,
    version="0",
    device="cpu",
    device_name="x86_64",
    memory_used_bytes=1000,
    memory_total_bytes=2000,
    networks=[3, 4],
    tasks=1,
    threads=8,
    busy_share=0.5,
    batches=10,
    inputs=40,
    loads=2,
    started=1000.0,
    seen=time.time(),
)


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    with connect(empty_redis) as client:
        yield client


@pytest.fixture
def heartbeats(client: redis.Redis) -> Heartbeats:
    return Heartbeats(client)


def test_latest_heartbeat_is_read_as_it_was_written(heartbeats: Heartbeats) -> None:
    heartbeats.beat(BEAT)
    heartbeats.beat(replace(BEAT, tasks=0))
    assert heartbeats.living() == [replace(BEAT, tasks=0)]
    assert BEAT.is_busy
    assert not heartbeats.living()[0].is_busy


def test_heartbeats_expire_by_themselves(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(BEAT)
    assert 0 < client.ttl(WORKER_PREFIX + BEAT.worker) <= EXPIRY_SECONDS
    client.delete(WORKER_PREFIX + BEAT.worker)  # as it is when it has expired
    assert heartbeats.living() == []


def test_worker_that_stopped_is_gone_at_once(heartbeats: Heartbeats) -> None:
    heartbeats.beat(BEAT)
    heartbeats.beat(replace(BEAT, worker="host-2"))
    heartbeats.forget("host-2")
    assert [beat.worker for beat in heartbeats.living()] == ["host-1"]


def test_silent_workers_leave_the_index(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(replace(BEAT, seen=2000.0))
    heartbeats.beat(replace(BEAT, worker="host-2"))
    assert client.zrange("recoq:workers", 0, -1) == [b"host-2"]


def test_heartbeat_of_another_release_is_left_out(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(BEAT)
    client.set(WORKER_PREFIX + BEAT.worker, '{"worker": "host-1", "mood": "good"}')
    assert heartbeats.living() == []
