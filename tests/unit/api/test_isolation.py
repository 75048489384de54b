"""What belongs to one account does not exist for another."""

import re
from typing import Any

import pytest
from flask import Flask

from tests.unit.api.callers import Caller

IMAGE = {"inputs": [{"image": {"source": "https://example.com/a.jpg"}}]}
ITEMS = {"items": [IMAGE]}

PROBES: dict[tuple[str, str], Any] = {
    ("GET", "/networks/{network_id}"): None,
    ("PATCH", "/networks/{network_id}"): {"name": "mine"},
    ("PUT", "/networks/{network_id}"): {"name": "mine", "description": "", "metadata": {}},
    ("DELETE", "/networks/{network_id}"): None,
    ("POST", "/networks/{network_id}/inference"): IMAGE,
    ("POST", "/networks/{network_id}/inference/bulk"): ITEMS,
    ("GET", "/recognition/specs/{spec_id}"): None,
    ("PATCH", "/recognition/specs/{spec_id}"): {"name": "mine"},
    ("PUT", "/recognition/specs/{spec_id}"): {"name": "mine"},
    ("DELETE", "/recognition/specs/{spec_id}"): None,
    ("GET", "/recognition/specs/{spec_id}/versions"): None,
    ("POST", "/recognition/specs/{spec_id}/inference"): IMAGE,
    ("POST", "/recognition/specs/{spec_id}/inference/bulk"): ITEMS,
    ("GET", "/recognition/versions/{version_id}"): None,
    ("DELETE", "/recognition/versions/{version_id}"): None,
    ("POST", "/recognition/versions/{version_id}/inference"): IMAGE,
    ("POST", "/recognition/versions/{version_id}/inference/bulk"): ITEMS,
    ("GET", "/tasks/{task_id}"): None,
    ("DELETE", "/tasks/{task_id}"): None,
    ("DELETE", "/tasks/{task_id}?purge=1"): None,
}


@pytest.fixture(scope="module")
def owned(admin: Caller, version: dict[str, Any]) -> dict[str, Any]:
    """The IDs of one resource of each kind, all of one account."""
    task = admin.post(f"/recognition/versions/{version['id']}/inference", json=IMAGE).get_json()["task_id"]
    ids = {name: version[name] for name in ("network_id", "spec_id")}
    return {**ids, "version_id": version["id"], "task_id": task}


@pytest.mark.parametrize(("method", "path"), PROBES)
def test_others_read_as_not_found(
    stranger: Caller, admin: Caller, owned: dict[str, Any], method: str, path: str
) -> None:
    resource = re.sub(r"(\}).*", r"\1", path).format(**owned)
    before = admin.get(resource).get_json()
    assert before.get("error") is None
    response = stranger.send(method, path.format(**owned), json=PROBES[method, path])
    assert response.status_code == 404
    assert set(response.get_json()) == {"error"}
    assert admin.get(resource).get_json() == before


def test_every_endpoint_of_an_own_resource_is_probed(app: Flask) -> None:
    served = {
        (method, re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule).removeprefix("/v0.7"))
        for rule in app.url_map.iter_rules()
        if "_id>" in rule.rule
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(method, path.partition("?")[0]) for method, path in PROBES}


def test_lists_show_own_resources_only(newcomer: Caller, version: dict[str, Any], public_spec: str) -> None:
    for path in ("/networks", "/recognition/specs", "/recognition/versions"):
        assert newcomer.get(path).get_json()["count"] == 0


def test_tasks_of_others_are_not_found_and_left_out(stranger: Caller, admin: Caller, version: dict[str, Any]) -> None:
    task_id = admin.post(f"/recognition/versions/{version['id']}/inference", json=IMAGE).get_json()["task_id"]
    assert stranger.get(f"/tasks/{task_id}").status_code == 404
    assert stranger.get(f"/tasks?task_ids={task_id}").get_json()["count"] == 0


@pytest.mark.parametrize("field", ["spec_id", "network_id"])
def test_versions_cannot_link_to_what_is_others(stranger: Caller, version: dict[str, Any], field: str) -> None:
    body = {
        "spec_id": stranger.spec(),
        "network_id": stranger.network(),
        "post_processings": [{"classification": {"output_tensor": "output"}}],
        field: version[field],
    }
    response = stranger.post("/recognition/versions", json=body)
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


def test_version_of_another_account_cannot_become_current(stranger: Caller, version: dict[str, Any]) -> None:
    body = {"current_version_id": version["id"]}
    assert stranger.patch(f"/recognition/specs/{stranger.spec()}", json=body).status_code == 400


def test_slugs_do_not_open_private_resources(admin: Caller, version: dict[str, Any]) -> None:
    assert admin.get(f"/networks/public/{version['network_id']}").status_code == 404
    assert admin.get(f"/recognition/public/{version['spec_id']}").status_code == 404
