"""Every error is this JSON, and ``errors`` is only there for fields that are not valid:

{"error": "outputs.0.labels.labels.1.id: Label 7 is given twice.",
 "errors": {"outputs.0.labels.labels.1.id": ["Label 7 is given twice."]}}
"""

import io
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import default_exceptions

from api.app import create_app
from api.services import Services
from config.settings import Settings
from store import errors as store_errors
from store.database import Database
from store.specs import Specs
from tests.unit.api.callers import Caller, output


def test_validation_failure_is_told_by_sentence_and_by_path(admin: Caller) -> None:
    labels = {"labels": [{"id": 7, "name": "a"}, {"id": 7, "name": "b"}], "exclusive": True, "roi": "NONE"}
    response = admin.post("/recognition/specs", json={"name": "x", "outputs": [{"labels": labels}]})
    assert response.status_code == 400
    assert response.get_json() == {
        "error": "outputs.0.labels.labels.1.id: Label 7 is given twice.",
        "errors": {"outputs.0.labels.labels.1.id": ["Label 7 is given twice."]},
    }


def test_several_failures_are_counted_in_the_sentence(admin: Caller) -> None:
    answer = admin.post("/recognition/specs", json={"outputs": [output()], "foo": 1}).get_json()
    assert answer["error"].endswith("(1 more)")
    assert answer["errors"] == {"name": ["This field is required."], "foo": ["Unknown field."]}


def test_answers_do_not_grow_with_what_was_sent(admin: Caller) -> None:
    wrong = {"labels": {"labels": [1] * 60, "exclusive": True, "roi": "NONE"}}
    many = admin.post("/recognition/specs", json={"name": "x", "outputs": [wrong] * 3})
    assert many.get_json()["error"] == "outputs.0.labels.labels.0: Must be an object. (179 more)"
    assert len(many.get_json()["errors"]) == 100
    long = admin.post("/recognition/specs", json={"name": "x", "outputs": [output()], "k" * 1_000_000: 1})
    assert long.get_json()["error"] == f"{'k' * 200}…: Unknown field."
    classification = {"classification": {"output_tensor": "output"}}
    version = {"spec_id": admin.spec(), "network_id": "n" * 1_000_000, "post_processings": [classification]}
    quoted = admin.post("/recognition/versions", json=version)
    assert quoted.get_json()["error"].startswith("network_id: There is no network nnn")
    assert {response.status_code for response in (many, long, quoted)} == {400}
    assert max(len(response.data) for response in (many, long, quoted)) < 10_000


@pytest.mark.parametrize("code", sorted(set(default_exceptions) - {400, 404, 405, 408, 413}))
def test_every_default_exception_has_the_payload(app: Flask, code: int) -> None:
    raised = default_exceptions[code]()
    with app.test_request_context("/v0.7/x"):
        response = app.make_response(app.handle_user_exception(raised))  # type: ignore[arg-type]
    assert response.status_code == code
    assert set(response.get_json()) == {"error"}
    assert response.get_json()["error"]


def test_client_that_stalls_is_told_so(admin: Caller) -> None:
    class Stalled(io.RawIOBase):
        def readinto(self, buffer: Any) -> int:
            raise TimeoutError("timed out")

    response = admin.post(
        "/recognition/specs",
        environ_overrides={"wsgi.input": Stalled(), "CONTENT_LENGTH": "100", "CONTENT_TYPE": "application/json"},
    )
    assert (response.status_code, response.get_json()) == (408, {"error": "The request took too long to arrive."})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (store_errors.NotFound("There is no x."), 404),
        (store_errors.Conflict("The slug is in use."), 409),
        (store_errors.TooLarge("Too large."), 413),
        (store_errors.Unavailable("The database is not reachable."), 503),
        (store_errors.QueueFull("Full.", 7), 429),
        (store_errors.RateExceeded("Too fast.", 1), 429),
        (store_errors.StorageFull("No room."), 507),
        (store_errors.InvalidValue("A NUL."), 400),
        (store_errors.InvalidReference("network_id", "There is no network 5."), 400),
    ],
)
def test_every_store_error_has_its_status(app: Flask, error: Exception, status: int) -> None:
    with app.test_request_context("/v0.7/x"):
        response = app.make_response(app.handle_user_exception(error))
    assert response.status_code == status
    assert str(error) in response.get_json()["error"]
    assert ("Retry-After" in response.headers) == (status in (429, 503))


def test_unexpected_failure_is_neutral_and_logged_in_full(
    api_settings: Settings, services: Services, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def get(self, *args: Any) -> Any:
            raise RuntimeError("SELECT secret FROM /srv/recoq")

    app = create_app(api_settings, replace(services, specs=Broken()))  # type: ignore[arg-type]
    response = Caller(app.test_client(), admin.key).get("/recognition/specs/1")
    assert response.status_code == 500
    assert response.get_json() == {"error": "The server failed to answer this request; its log says why."}
    assert "SELECT secret" in caplog.text
    assert admin.key not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/recognition/specs/999999", 404), ("POST", "/recognition/public", 405)],
)
def test_routing_errors_have_the_payload(admin: Caller, method: str, path: str, status: int) -> None:
    response = admin.send(method, path)
    assert response.status_code == status
    assert set(response.get_json()) == {"error"}


def test_method_that_is_not_allowed_names_those_that_are(admin: Caller) -> None:
    response = admin.send("DELETE", "/recognition/specs")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_body_above_the_limit_is_refused(admin: Caller) -> None:
    response = admin.post("/recognition/specs", data=b"x" * 2_000_001, content_type="application/json")
    assert response.status_code == 413
    assert response.get_json() == {"error": "The body is larger than the 2000000 bytes that are allowed here."}


def test_body_of_unknown_length_is_limited_while_it_is_read(admin: Caller) -> None:
    class Endless:
        def read(self, size: int = -1) -> bytes:
            return b" " * (size if size > 0 else 65536)

    environ = {"wsgi.input": Endless(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = admin.post("/recognition/specs", content_type="application/json", environ_overrides=environ)
    assert response.status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/octet-stream"])
def test_other_types_of_body_are_refused(admin: Caller, content_type: str) -> None:
    response = admin.post("/recognition/specs", data=b"{}", content_type=content_type)
    assert response.status_code == 415


def test_absent_database_is_a_503_that_may_be_tried_again(
    api_settings: Settings, services: Services, admin: Caller, tmp_path: Any
) -> None:
    away = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'x.db'}")
    try:
        app = create_app(api_settings, replace(services, specs=Specs(away)))
        response = Caller(app.test_client(), admin.key).get("/recognition/specs/1")
    finally:
        away.close()
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert str(tmp_path) not in response.text
