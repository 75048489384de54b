"""Answers that wait for a task, for a while."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.services import Services
from config.queues import TaskKind
from store.task_records import NewTask, Outcome
from tests.unit.api.callers import Caller

BODY = {"inputs": [{"image": {"source": "https://example.com/dog.jpg"}}]}
LONG_SECONDS = 30.0


@pytest.fixture
def pending(admin: Caller, services: Services) -> str:
    return services.ledger.submit(NewTask(admin.account_id, TaskKind.RECOGNITION, {}))


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference"


def finished_meanwhile(services: Services, ask: Callable[[], TestResponse], outcome: Outcome) -> TestResponse:
    """Return the answer to a request for whose task a worker comes along as soon as the request waits."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.005):
            for key in services.ledger._redis.scan_iter("recoq:task:*"):
                if services.ledger._redis.hexists(key, "awaited"):
                    services.ledger.finish(key.decode().rpartition(":")[2], None, outcome)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        return ask()
    finally:
        done.set()
        worker.join()


def test_post_that_waited_answers_with_the_task_that_ended(admin: Caller, services: Services, path: str) -> None:
    response = finished_meanwhile(
        services, lambda: admin.post(path, json=BODY, headers={"Prefer": "wait=30"}), Outcome(data=b'{"outputs":[]}')
    )
    task = response.get_json()
    assert (response.status_code, task["status"], task["data"]) == (200, "success", {"outputs": []})
    assert task["task_id"] == task["id"]
    assert "timing" in task
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.headers["Cache-Control"] == "no-store"


def test_post_that_waited_in_vain_answers_with_the_task_as_it_stands(admin: Caller, path: str) -> None:
    response = admin.post(path, json=BODY, headers={"Prefer": "wait=1"})
    task = response.get_json()
    assert (response.status_code, task["status"]) == (202, "pending")
    assert task["task_id"] == task["id"]
    assert response.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize(
    ("query", "prefer", "applied"),
    [("?wait=30", "", None), ("", "wait=30", "wait=30"), ("?wait=30", "wait=1", None)],
)
def test_get_waits_for_the_end(admin: Caller, services: Services, query: str, prefer: str, applied: str | None) -> None:
    task_id = services.ledger.submit(NewTask(admin.account_id, TaskKind.RECOGNITION, {}))
    response = finished_meanwhile(
        services, lambda: admin.get(f"/tasks/{task_id}{query}", headers={"Prefer": prefer}), Outcome(error="No.")
    )
    assert (response.status_code, response.get_json()["error"]) == (200, "No.")
    assert "task_id" not in response.get_json()
    assert response.headers.get("Preference-Applied") == applied


@pytest.mark.parametrize(
    ("header", "applied"),
    [
        ("wait=1", "wait=1"),
        ("respond-async, WAIT = 1; foo=bar", "wait=1"),
        ('wait="1"', "wait=1"),
        ("wait=0", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("waiting=1", None),
        ("return=minimal", None),
    ],
)
def test_preference_that_cannot_be_read_is_ignored(
    admin: Caller, pending: str, header: str, applied: str | None
) -> None:
    start = time.monotonic()
    response = admin.get(f"/tasks/{pending}", headers={"Prefer": header})
    assert (response.status_code, response.get_json()["status"]) == (200, "pending")
    assert response.headers.get("Preference-Applied") == applied
    assert (time.monotonic() - start >= 1) == (applied is not None)


@pytest.mark.parametrize(
    ("header", "applied"), [("wait", "wait=30"), ("wait=61", "wait=60"), ("wait=99999", "wait=60")]
)
def test_wait_is_thirty_seconds_by_default_and_sixty_at_most(
    admin: Caller, services: Services, pending: str, header: str, applied: str
) -> None:
    response = finished_meanwhile(
        services, lambda: admin.get(f"/tasks/{pending}", headers={"Prefer": header}), Outcome(data=b"{}")
    )
    assert response.headers["Preference-Applied"] == applied


@pytest.mark.parametrize("wait", ["61", "-1", "1.5", "soon", ""])
def test_wait_of_the_query_must_be_seconds(admin: Caller, pending: str, wait: str) -> None:
    response = admin.get(f"/tasks/{pending}?wait={wait}")
    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["wait"])


def test_ended_and_unknown_tasks_are_answered_at_once(admin: Caller, services: Services, pending: str) -> None:
    services.ledger.cancel(admin.account_id, pending)
    start = time.monotonic()
    assert admin.get(f"/tasks/{pending}?wait=60").get_json()["error"] == "Cancelled."
    assert admin.get("/tasks/99999999999?wait=60").status_code == 404
    assert time.monotonic() - start < LONG_SECONDS


def test_task_that_is_purged_meanwhile_is_not_found(admin: Caller, services: Services, pending: str) -> None:
    def purge() -> None:
        while not services.ledger._redis.hexists(f"recoq:task:{pending}", "awaited"):
            time.sleep(0.005)
        services.ledger.purge(admin.account_id, pending)

    thread = threading.Thread(target=purge)
    thread.start()
    response = admin.get(f"/tasks/{pending}?wait=30")
    thread.join()
    assert response.status_code == 404


def test_patience_with_a_slow_redis_is_that_of_a_request(services: Services, admin: Caller) -> None:
    admin.get("/accounts/me")
    redis = services.ledger._redis
    for _ in range(2):
        redis.blpop(["nothing"], 0.6)
    assert redis.ping()  # what comes after the request, in the same thread, may wait for as long as it takes
