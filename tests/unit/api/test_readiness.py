"""Ready means: what is accepted now would be done. Else ``/readyz`` says why not."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services, open_services
from config.queues import TaskKind
from config.settings import Settings
from store.migrate import migrate
from store.task_records import NewTask, Outcome
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
    assert reason == "The queue does not move: 1 tasks wait, the oldest for 90 s, and none has ended for 60 s."


def test_long_queue_that_moves_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    ended, _ = let_wait(quiet, 900), let_wait(quiet, 900)
    quiet.ledger.finish(ended, None, Outcome(error="No."))
    assert ask(quiet).status_code == 200


def test_queue_that_has_only_just_filled_is_ready(quiet: Services) -> None:
    quiet.telemetry.heartbeats.beat(heartbeat())
    let_wait(quiet, 5)
    assert ask(quiet).status_code == 200


def test_what_is_away_is_named_once(api_settings: Settings) -> None:
    away = replace(
        api_settings, redis_url="redis://127.0.0.1:1/0", database_url="postgresql://nobody@127.0.0.1:1/nothing"
    )
    opened = open_services(away)
    found = reasons(opened)
    opened.close()
    assert found == {"database": "The database is not reachable.", "queue": "The task queue is not reachable."}
