"""Who may ask for what."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from api import auth
from api.app import create_app
from api.services import Services
from config.settings import Settings
from store.database import Database
from tests.unit.api.callers import Caller


def rules(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/v0.7") and not rule.endpoint.startswith("docs."):
            path = re.sub("<[^>]+>", "1", rule.rule)
            for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                yield method, path.removeprefix("/v0.7")


def test_every_endpoint_takes_a_key(app: Flask) -> None:
    client = app.test_client()
    endpoints = list(rules(app))
    assert len(endpoints) > 25
    for method, path in endpoints:
        for headers in ({}, {"X-API-KEY": "rq_unknown"}):
            response = client.open(f"/v0.7{path}", method=method, headers=headers)
            assert response.status_code == 401, (method, path)
            assert response.headers["WWW-Authenticate"]


def test_reader_may_read_and_infer_only(app: Flask, reader: Caller) -> None:
    for method, path in rules(app):
        allowed = (method == "GET" and path != "/operations") or path.endswith(("/inference", "/inference/bulk"))
        for slash in ("", "/"):
            status = reader.send(method, path + slash).status_code
            assert (status == 403) == (not allowed), (method, path, status)


def test_unknown_paths_do_not_tell_the_keyless_that_they_do_not_exist(app: Flask) -> None:
    assert app.test_client().get("/v0.7/nothing").status_code == 401


def test_matching_app_id_is_accepted_and_another_refused(admin: Caller, stranger: Caller) -> None:
    me = admin.get("/accounts/me").get_json()
    assert admin.get("/accounts/me", headers={"X-APP-ID": me["app_id"]}).status_code == 200
    other = stranger.get("/accounts/me").get_json()["app_id"]
    assert admin.get("/accounts/me", headers={"X-APP-ID": other}).status_code == 401


def test_own_account_is_shown_with_the_role(admin: Caller, reader: Caller) -> None:
    me = admin.get("/accounts/me").get_json()
    assert set(me) == {"id", "name", "app_id", "role", "date_created"}
    assert (me["name"], me["role"]) == ("home", "admin")
    assert me["date_created"].endswith("Z")
    assert reader.get("/accounts/me").get_json() == {**me, "role": "read"}


def test_revoked_key_is_refused(app: Flask, services: Services) -> None:
    key = services.accounts.create_key("gone", "admin")
    services.accounts.revoke_key(key[:10])
    assert Caller(app.test_client(), key).get("/accounts/me").status_code == 401


def test_tasks_are_read_without_the_database_by_who_was_here_before(
    api_settings: Settings, services: Services, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    unreachable = Database("postgresql://nobody@127.0.0.1:1/nothing")
    app = create_app(api_settings, services)
    known = Caller(app.test_client(), admin.key)
    unknown = Caller(app.test_client(), services.accounts.create_key("new here", "admin"))
    assert known.get("/accounts/me").status_code == 200
    monkeypatch.setattr(services.accounts, "_database", unreachable)
    assert known.get("/tasks?task_ids=1").status_code == 200
    assert known.get("/tasks/999999999/").status_code == 404
    for caller, method, path in (
        (unknown, "GET", "/tasks?task_ids=1"),
        (known, "GET", "/tasksandmore"),
        (known, "GET", "/recognition/specs"),
        (known, "POST", "/recognition/public/x/inference"),
        (known, "DELETE", "/tasks/1"),
    ):
        response = caller.send(method, path)
        assert response.status_code == 503, (method, path)
        assert int(response.headers["Retry-After"]) > 0
    unreachable.close()


def test_revoked_key_is_not_remembered_for_bad_times(
    api_settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    key = services.accounts.create_key("gone later", "admin")
    caller = Caller(create_app(api_settings, services).test_client(), key)
    assert caller.get("/tasks?task_ids=1").status_code == 200
    services.accounts.revoke_key(key)
    assert caller.get("/tasks?task_ids=1").status_code == 401
    unreachable = Database("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(services.accounts, "_database", unreachable)
    assert caller.get("/tasks?task_ids=1").status_code == 503
    unreachable.close()


@pytest.mark.parametrize("key", ["", "é" * 20, "x" * 5000, "rq_"])
def test_strange_keys_are_refused(app: Flask, key: str) -> None:
    headers = {"X-API-KEY": key.encode().decode("latin-1")}
    assert app.test_client().get("/v0.7/accounts/me", headers=headers).status_code == 401
