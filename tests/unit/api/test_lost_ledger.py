"""A client of yesterday never gets another task's result, and learns what became of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from api.app import create_app
from api.services import Services, open_services
from cli.manage.status_screen import draw_status
from config.queues import TaskKind
from config.settings import Settings
from store.migrate import migrate
from store.task_records import NewTask, Outcome
from tests.unit.api.callers import Caller

TASK = NewTask(1, TaskKind.RECOGNITION, {"version_id": 1})


@pytest.fixture
def own(api_settings: Settings, empty_redis: str, tmp_path: Path) -> Iterator[Services]:
    """Services with a database and a Redis that hold nothing."""
    settings = replace(api_settings, database_url=f"sqlite:///{tmp_path / 'own.db'}", redis_url=empty_redis)
    migrate(settings.database_url)
    opened = open_services(settings)
    yield opened
    opened.close()


@pytest.fixture
def caller(own: Services) -> Caller:
    key = own.accounts.create_key("default", "admin")
    return Caller(create_app(own.settings, own).test_client(), key)


def lose(own: Services) -> None:
    own.ids.look()
    with redis.Redis.from_url(own.settings.redis_url) as client:
        client.flushall()
    own.ids.look()


def test_task_of_a_lost_ledger_is_404_with_a_sentence_that_says_so(own: Services, caller: Caller) -> None:
    yesterday = own.ledger.submit(TASK)
    lose(own)
    today = own.ledger.submit(TASK)
    own.ledger.finish(today, None, Outcome(data=b'{"outputs":[]}'))
    response = caller.get(f"/tasks/{yesterday}")
    assert response.status_code == 404
    last = own.ids.losses.recent()[0].last_id
    sentence = response.get_json()["error"]
    assert sentence.startswith(
        f"Task {yesterday} is gone: all tasks with IDs up to {last} were lost with the task ledger"
    )
    assert int(yesterday) <= last < int(today)
    assert caller.get(f"/tasks/{today}").get_json()["status"] == "success"
    assert caller.get(f"/tasks/{last + 10_000}").get_json()["error"] == f"There is no task {last + 10_000}."


def test_task_that_never_was_has_a_plain_404(own: Services, caller: Caller) -> None:
    own.ledger.submit(TASK)
    assert caller.get("/tasks/7").get_json()["error"] == "There is no task 7."


def test_sentence_does_without_the_database(own: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    yesterday = own.ledger.submit(TASK)
    lose(own)
    own.database.close()
    own.ids.close()
    file = Path(own.settings.database_url.removeprefix("sqlite:///"))
    file.rename(file.with_name("gone"))
    file.mkdir()
    assert own.ids.losses.sentence(yesterday) == f"There is no task {yesterday}."
    file.rmdir()
    file.with_name("gone").rename(file)


def test_operators_see_what_was_lost(own: Services, caller: Caller) -> None:
    for _ in range(26):
        own.ledger.submit(TASK)
    lose(own)
    [loss] = own.ids.losses.recent()
    told = caller.get("/operations").get_json()
    [shown] = told["ledger_losses"]
    assert (shown["kind"], shown["last_id"], shown["tasks"]) == ("emptied", str(loss.last_id), 26)
    assert f"all with IDs up to {loss.last_id}, 26 of them not ended" in str(draw_status(told).renderables[0])
    own.telemetry.send()
    metrics = caller.client.get("/metrics", headers={"X-API-KEY": caller.key}).text
    assert 'recoq_ledger_losses_total{kind="emptied"} 1.0' in metrics
    assert "recoq_ledger_lost_tasks_total 26.0" in metrics
