"""Workers that live are listed with their latest heartbeat; those that stopped or died are not."""

import time

import pytest
import redis

from store.telemetry.heartbeats import EXPIRY_SECONDS, WORKER_PREFIX, Heartbeats
from tests.unit.store.heartbeats import heartbeat


@pytest.fixture
def heartbeats(client: redis.Redis) -> Heartbeats:
    return Heartbeats(client)


def test_latest_heartbeat_is_read_as_it_was_written(heartbeats: Heartbeats) -> None:
    earlier, later = heartbeat(tasks=1), heartbeat(tasks=0)
    heartbeats.beat(earlier)
    heartbeats.beat(later)
    assert heartbeats.living() == [later]
    assert (earlier.is_busy, later.is_busy) == (True, False)


def test_heartbeats_expire_by_themselves(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(heartbeat())
    assert 0 < client.ttl(WORKER_PREFIX + "host-1") <= EXPIRY_SECONDS
    client.delete(WORKER_PREFIX + "host-1")  # as it is when it has expired
    assert heartbeats.living() == []


def test_worker_that_stopped_is_gone_at_once(heartbeats: Heartbeats) -> None:
    heartbeats.beat(heartbeat())
    heartbeats.beat(heartbeat(worker="host-2"))
    heartbeats.forget("host-2")
    assert [beat.worker for beat in heartbeats.living()] == ["host-1"]


def test_silent_workers_leave_the_index(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(heartbeat())
    client.zincrby("recoq:workers", -3 * EXPIRY_SECONDS, "host-1")
    heartbeats.beat(heartbeat(worker="host-2"))
    assert client.zrange("recoq:workers", 0, -1) == [b"host-2"]


def test_heartbeat_of_another_release_is_left_out(heartbeats: Heartbeats, client: redis.Redis) -> None:
    heartbeats.beat(heartbeat())
    client.set(WORKER_PREFIX + "host-1", '{"worker": "host-1", "mood": "good"}')
    assert heartbeats.living() == []


def test_worker_whose_clock_is_slow_lives_among_others(heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 86400)
    heartbeats.beat(heartbeat())
    monkeypatch.undo()
    heartbeats.beat(heartbeat(worker="host-2"))
    assert [beat.worker for beat in heartbeats.living()] == ["host-1", "host-2"]
