"""Who may ask for what."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from api.services import Services
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
        allowed = method == "GET" or path.endswith("/inference")
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


@pytest.mark.parametrize("key", ["", "é" * 20, "x" * 5000, "rq_"])
def test_strange_keys_are_refused(app: Flask, key: str) -> None:
    headers = {"X-API-KEY": key.encode().decode("latin-1")}
    assert app.test_client().get("/v0.7/accounts/me", headers=headers).status_code == 401
