"""Paths, headers and health: what is the same everywhere."""

import json
import re
from dataclasses import replace

import pytest
from flask import Flask

from api.app import create_app
from api.errors import SENTENCES
from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller


@pytest.mark.parametrize(
    "path",
    [
        "/networks",
        "/networks/public",
        "/recognition/specs",
        "/recognition/public",
        "/recognition/versions",
        "/tasks",
        "/accounts/me",
    ],
)
def test_trailing_slash_makes_no_difference_and_no_redirect(admin: Caller, path: str) -> None:
    plain, slashed = admin.get(path), admin.get(f"{path}/")
    assert plain.status_code == slashed.status_code == 200
    assert plain.get_json() == slashed.get_json()


def test_trailing_slash_is_accepted_on_elements_and_on_posts(admin: Caller, version: dict[str, int]) -> None:
    for path in (f"/recognition/specs/{version['spec_id']}/", f"/networks/{version['network_id']}/"):
        assert admin.get(path).status_code == 200
    body = {"inputs": [{"image": {"source": "https://example.com/a.jpg"}}]}
    assert admin.post(f"/recognition/specs/{version['spec_id']}/inference/", json=body).status_code == 202


def test_no_endpoint_redirects_or_misses_its_slash(app: Flask, admin: Caller) -> None:
    """What is asked for does not exist and no body is sent, so each endpoint answers with an error of its own."""
    endpoints = 0
    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]+>", "987654321", rule.rule).removeprefix("/v0.7")
        if not rule.rule.startswith("/v0.7") or rule.endpoint.startswith("docs.") or "webhook-secret" in path:
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            plain, slashed = admin.send(method, path), admin.send(method, f"{path}/")
            assert plain.status_code == slashed.status_code, (method, path)
            assert not 300 <= plain.status_code < 400
            if plain.status_code >= 400:
                assert plain.get_json() == slashed.get_json()
                assert plain.get_json()["error"] != SENTENCES[404]
            endpoints += 1
    assert endpoints > 30


@pytest.mark.parametrize("path", ["/networks//", "//networks", "/networks/-1", f"/networks/{2**63}", "/networks/x"])
def test_other_spellings_are_not_found(admin: Caller, path: str) -> None:
    assert admin.get(path).status_code == 404


RESOURCES = ("networks", "recognition/specs", "recognition/versions")
NO_IDS = [2**63 - 1, 2**63, 2**64, -1, "+1", "1.0", "1e3", "0x1", "1_0", "%D9%A1", "%EF%BC%91", "%201", "1" * 5000]


@pytest.mark.parametrize("number", NO_IDS, ids=lambda number: str(number)[:22])
@pytest.mark.parametrize("resource", RESOURCES)
def test_what_cannot_be_an_id_is_not_found_by_any_method(admin: Caller, resource: str, number: object) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        for end in ("", "/inference", "/inference/bulk"):
            response = admin.send(method, f"/{resource}/{number}{end}", json={})
            assert response.status_code == 404, method
            if method != "HEAD":
                assert response.get_json() == {"error": SENTENCES[404]}


@pytest.mark.parametrize("number", [2**63, 2**64, -1, 10**30])
def test_numbers_in_bodies_and_queries_that_cannot_be_ids_are_told(admin: Caller, number: int) -> None:
    version = {
        "spec_id": number,
        "network_id": number,
        "post_processings": [{"classification": {"output_tensor": "x"}}],
    }
    kind = "application/json"
    created = admin.post("/recognition/versions", data=json.dumps(version), content_type=kind)
    edit = json.dumps({"current_version_id": number})
    edited = admin.patch(f"/recognition/specs/{admin.spec()}", data=edit, content_type=kind)
    for response, field in ((created, "spec_id"), (edited, "current_version_id")):
        assert response.status_code == 400
        assert field in response.get_json()["errors"]
    listed = admin.get(f"/tasks?task_ids={number}&task_ids=[{number}]")
    assert (listed.status_code, listed.get_json()["results"]) == (200, [])
    assert admin.get(f"/tasks/{number}").status_code == 404
    for argument in ("offset", "limit"):
        assert admin.get(f"/networks?{argument}={number}").status_code == 400


def test_gets_with_a_json_content_type_and_no_body_are_fine(admin: Caller) -> None:
    response = admin.get("/recognition/specs?public=1&offset=0&limit=100", content_type="application/json")
    assert response.status_code == 200


def test_head_is_answered_like_get_without_a_body(admin: Caller) -> None:
    response = admin.send("HEAD", "/recognition/specs")
    assert (response.status_code, response.data) == (200, b"")


def test_answers_may_not_be_sniffed_or_cached(admin: Caller) -> None:
    response = admin.get("/accounts/me")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.mimetype == "application/json"


def test_health_needs_no_key(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").get_json() == {"status": "ok"}
    assert client.get("/readyz").status_code in {200, 503}


ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def cors_app(api_settings: Settings, services: Services) -> Flask:
    return create_app(replace(api_settings, cors_origins=(ORIGIN,)), services)


def test_configured_origin_may_ask_without_a_key_what_it_may_send(cors_app: Flask) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, content-type",
    }
    response = cors_app.test_client().options("/v0.7/recognition/specs", headers=headers)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "x-api-key" in response.headers["Access-Control-Allow-Headers"].lower()


def test_errors_are_readable_for_configured_origins_too(cors_app: Flask) -> None:
    response = cors_app.test_client().get("/v0.7/accounts/me", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_other_origins_are_not_allowed(cors_app: Flask, app: Flask) -> None:
    for answering, origin in ((cors_app, "https://evil.example.com"), (app, ORIGIN)):
        response = answering.test_client().get("/v0.7/accounts/me", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "reco.example.com"}


def test_forwarded_headers_are_ignored_unless_a_proxy_is_trusted(
    newcomer: Caller, api_settings: Settings, services: Services
) -> None:
    for _ in range(2):
        newcomer.spec()
    path = "/recognition/specs?limit=1"
    assert newcomer.get(path, headers=FORWARDED).get_json()["next"].startswith("http://localhost/")
    behind = create_app(replace(api_settings, trusted_proxies=1), services)
    answer = Caller(behind.test_client(), newcomer.key).get(path, headers=FORWARDED).get_json()
    assert answer["next"] == "https://reco.example.com/v0.7/recognition/specs?offset=1&limit=1"
