"""Ready means: what is accepted now would be done. Else ``/readyz`` says why not."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from api import readiness as module
from api.app import create_app
from api.services import Services, open_services
from config.queues import TaskKind
from config.settings import Settings
from store.migrate import migrate
from store.network_files import NetworkFiles
from store.task_records import NewTask, Outcome
from store.weights import WeightStore
from tests.unit.store.heartbeats import heartbeat

TASK = NewTask(1, TaskKind.RECOGNITION, {"version_id": 1})


@pytest.fixture
def quiet(api_settings: Settings, empty_redis: str, tmp_path: Path) -> Iterator[Services]:
    """Services whose Redis holds nothing."""
    settings = replace(api_settings, database_url=f"sqlite:///{tmp_path / 'quiet.db'}", redis_url=empty_redis)
    migrate(settings.database_url)
    opened = open_services(settings)
    yield opened
    opened.close()


def ask(services: Services) -> TestResponse:
    app: Flask = create_app(services.settings, services)
    return app.test_client().get("/readyz")


def reasons(services: Services) -> dict[str, str]:
    response = ask(services)
    assert response.status_code == 503
    answer = response.get_json()
    assert answer["status"] == "unavailable"
    assert answer["error"] == " ".join(answer["reasons"].values())
    found: dict[str, str] = answer["reasons"]
    return found


def let_wait(services: Services, seconds: float) -> str:
    """Return a task that has waited for so long."""
    task_id = services.ledger.submit(TASK)
    with redis.Redis.from_url(services.settings.redis_url) as client:
        for key in client.keys("recoq:pending:*"):
            client.zadd(key, {task_id: time.time() - seconds})
    return task_id


def test_idle_service_with_a_worker_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    response = ask(quiet)
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_redis_that_may_drop_tasks_is_not_ready_and_says_what_to_set(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    with redis.Redis.from_url(quiet.settings.redis_url) as client:
        try:
            client.config_set("maxmemory-policy", "volatile-lru")
            client.config_set("maxmemory", 2**30)
            sentence = reasons(quiet)["queue"]
        finally:
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")
    assert sentence == (
        "Redis may drop tasks that were accepted: set its maxmemory-policy to noeviction instead of volatile-lru."
    )


def test_service_without_a_worker_is_not_ready(quiet: Services) -> None:
    assert reasons(quiet) == {"workers": "No worker is running."}


def test_queue_that_does_not_move_is_not_ready_and_says_so(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    let_wait(quiet, 90)
    [(name, reason)] = reasons(quiet).items()
    assert name == "progress"
    assert re.fullmatch(
        r"The queue does not move: 1 tasks wait, the oldest for 9\d s, and none has ended for 60 s\.", reason
    )


def test_long_queue_that_moves_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    ended, _ = let_wait(quiet, 900), let_wait(quiet, 900)
    quiet.ledger.finish(ended, None, Outcome(error="No."))
    assert ask(quiet).status_code == 200


def test_queue_that_has_only_just_filled_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    let_wait(quiet, 5)
    assert ask(quiet).status_code == 200


def test_redis_that_can_only_be_read_is_not_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    with redis.Redis.from_url(quiet.settings.redis_url) as client:
        try:
            client.config_set("min-replicas-to-write", 1)
            found = reasons(quiet)
        finally:
            client.config_set("min-replicas-to-write", 0)
    assert found == {"queue": "The task queue is away: Redis has too few replicas, so it takes no changes."}


def test_full_redis_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    with redis.Redis.from_url(quiet.settings.redis_url) as client:
        try:
            client.config_set("maxmemory", 1)
            assert ask(quiet).status_code == 200
        finally:
            client.config_set("maxmemory", 0)


def test_weight_store_that_is_away_is_named(quiet: Services, tmp_path: Path) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    (tmp_path / "file").touch()
    away = replace(quiet, weights=NetworkFiles(quiet.database, WeightStore(f"file://{tmp_path}/file/w", tmp_path, 1)))
    assert reasons(away) == {"weights": "The weight store is not reachable."}


def test_weight_store_that_hangs_is_named_in_time(
    quiet: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    monkeypatch.setattr(module, "WEIGHTS_ANSWER_SECONDS", 0.05)
    back = threading.Event()
    monkeypatch.setattr(WeightStore, "check", lambda self: back.wait(20))
    try:
        assert reasons(quiet) == {"weights": "The weight store does not answer in time."}
    finally:
        back.set()


def test_checks_are_made_every_few_seconds_whoever_asks(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    app = create_app(quiet.settings, quiet)
    with redis.Redis.from_url(quiet.settings.redis_url) as client:
        client.config_resetstat()
        for _ in range(50):
            assert app.test_client().get("/readyz").status_code == 200
        assert client.info("commandstats")["cmdstat_smembers"]["calls"] < 5


def test_what_is_away_is_named_once(api_settings: Settings) -> None:
    away = replace(
        api_settings, redis_url="redis://127.0.0.1:1/0", database_url="postgresql://nobody@127.0.0.1:1/nothing"
    )
    opened = open_services(away)
    found = reasons(opened)
    opened.close()
    assert found == {"database": "The database is not reachable.", "queue": "The task queue is not reachable."}
