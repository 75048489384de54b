"""Asking for a webhook, and the secret that signs them; their delivery is tested with the workers."""

from typing import Any

import pytest

from api.services import Services
from store.task_records import Outcome
from tests.unit.api.callers import Caller

URL = "https://example.com/ended"
BODY = {"inputs": [{"image": {"source": "https://example.com/dog.jpg"}}]}


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference"


def test_task_shows_its_webhook(admin: Caller, services: Services, path: str) -> None:
    task_id = admin.post(path, json={**BODY, "webhook": {"url": URL, "events": ["success"]}}).get_json()["task_id"]
    pending = {"status": "pending", "attempts": 0, "last_error": None}
    assert admin.get(f"/tasks/{task_id}").get_json()["webhook"] == pending
    services.ledger.finish(task_id, None, Outcome(error="No."))
    assert admin.get(f"/tasks/{task_id}").get_json()["webhook"] == {**pending, "status": "skipped"}


def test_task_without_a_webhook_shows_none(admin: Caller, path: str) -> None:
    task_id = admin.post(path, json=BODY).get_json()["task_id"]
    assert "webhook" not in admin.get(f"/tasks/{task_id}").get_json()


def test_webhook_may_be_asked_for_in_a_form(admin: Caller, path: str) -> None:
    form = {"inputs[0]image.source": "https://example.com/dog.jpg", "webhook.url": URL, "webhook.events[0]": "error"}
    task_id = admin.post(path, data=form).get_json()["task_id"]
    assert admin.get(f"/tasks/{task_id}").get_json()["webhook"]["status"] == "pending"


@pytest.mark.parametrize(
    ("webhook", "field"),
    [
        ({"url": "ftp://example.com"}, "webhook.url"),
        ({"url": "example.com"}, "webhook.url"),
        ({}, "webhook.url"),
        ({"url": URL, "events": []}, "webhook.events"),
        ({"url": URL, "events": ["started"]}, "webhook.events.0"),
        ({"url": URL, "secret": "x"}, "webhook.secret"),
        ("https://example.com", "webhook"),
    ],
)
def test_wrong_webhooks_are_named(admin: Caller, path: str, webhook: Any, field: str) -> None:
    response = admin.post(path, json={**BODY, "webhook": webhook})
    assert (response.status_code, list(response.get_json()["errors"])) == (400, [field])


def test_secret_is_new_each_time_and_for_admins_only(admin: Caller, reader: Caller) -> None:
    answers = [admin.post("/accounts/me/webhook-secret") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.get_json()["secret"] for answer in answers)
    assert first.startswith("whsec_")
    assert first != second
    assert reader.post("/accounts/me/webhook-secret").status_code == 403
