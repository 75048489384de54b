"""The same request under the same key makes one task, whatever is raced and however it is written."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from api.services import Services
from tests.unit.api.callers import JPEG, Caller

URL = "https://example.com/dog.jpg"
BODY = {"inputs": [{"image": {"source": URL}}]}


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference"


@pytest.fixture
def key(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"Idempotency-Key": request.node.name}


def task_id(response: Any) -> str:
    assert response.status_code == 202, response.text
    return str(response.get_json()["task_id"])


def test_requests_that_arrive_at_once_make_one_task(
    app: Flask, admin: Caller, services: Services, path: str, key: dict[str, str]
) -> None:
    depth = services.queue.depth()
    barrier = threading.Barrier(8)

    def send(_: int) -> str:
        caller = Caller(app.test_client(), admin.key)
        barrier.wait()
        return task_id(caller.post(path, json=BODY, headers=key))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(send, range(8)))) == 1
    assert services.queue.depth() == depth + 1


def test_the_same_image_in_another_form_is_the_same_request(admin: Caller, path: str, key: dict[str, str]) -> None:
    text = "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()
    first = admin.post(path, json={"inputs": [{"image": {"source": text}}], "show_discarded": False}, headers=key)
    boundary = "XX"
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="inputs[0]image.source"; filename="a.jpg"\r\n\r\n'
        + JPEG
        + b"\r\n--XX--\r\n"
    )
    second = admin.post(f"{path}/", data=body, content_type=f"multipart/form-data; boundary={boundary}", headers=key)
    assert task_id(first) == task_id(second)


@pytest.mark.parametrize("change", [{"show_discarded": True}, {"priority": "low"}, {"deadline_seconds": 5}])
def test_another_request_under_the_same_key_is_a_conflict(
    admin: Caller, path: str, key: dict[str, str], change: dict[str, Any]
) -> None:
    first = task_id(admin.post(path, json=BODY, headers=key))
    response = admin.post(path, json={**BODY, **change}, headers=key)
    assert response.status_code == 409
    assert "idempotency key" in response.get_json()["error"]
    assert task_id(admin.post(path, json=BODY, headers=key)) == first


def test_another_image_under_the_same_key_is_a_conflict(admin: Caller, path: str, key: dict[str, str]) -> None:
    for data, status in ((b"one", 202), (b"two", 409)):
        source = "data:image/*;base64," + base64.b64encode(data).decode()
        response = admin.post(path, json={"inputs": [{"image": {"source": source}}]}, headers=key)
        assert response.status_code == status


def test_another_address_under_the_same_key_is_a_conflict(
    admin: Caller, version: dict[str, Any], path: str, key: dict[str, str]
) -> None:
    task_id(admin.post(path, json=BODY, headers=key))
    assert admin.post(f"/recognition/versions/{version['id']}/inference", json=BODY, headers=key).status_code == 409


def test_repeated_request_means_the_version_of_the_first(
    admin: Caller, services: Services, key: dict[str, str]
) -> None:
    version = admin.version()
    path = f"/recognition/specs/{version['spec_id']}/inference"
    first = task_id(admin.post(path, json=BODY, headers=key))
    other = admin.version(spec_id=version["spec_id"])
    admin.patch(f"/recognition/specs/{version['spec_id']}", json={"current_version_id": other["id"]})
    assert task_id(admin.post(path, json=BODY, headers=key)) == first


def test_accounts_share_no_keys(admin: Caller, stranger: Caller, public_spec: str, key: dict[str, str]) -> None:
    path = f"/recognition/public/{public_spec}/inference"
    assert task_id(admin.post(path, json=BODY, headers=key)) != task_id(stranger.post(path, json=BODY, headers=key))


def test_requests_without_a_key_are_never_the_same(admin: Caller, path: str) -> None:
    assert task_id(admin.post(path, json=BODY)) != task_id(admin.post(path, json=BODY))


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x01b"])
def test_key_must_be_printable_and_of_some_length(admin: Caller, path: str, key: str) -> None:
    response = admin.send("POST", path, json=BODY, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})
    assert response.status_code == 400
    assert "Idempotency-Key" in response.get_json()["error"]
