"""What belongs to one account does not exist for another."""

from typing import Any

import pytest

from tests.unit.api.callers import Caller

IMAGE = {"inputs": [{"image": {"source": "https://example.com/a.jpg"}}]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/networks/{network_id}", None),
        ("PATCH", "/networks/{network_id}", {"name": "mine"}),
        ("PUT", "/networks/{network_id}", {"name": "mine", "description": "", "metadata": {}}),
        ("DELETE", "/networks/{network_id}", None),
        ("POST", "/networks/{network_id}/inference", IMAGE),
        ("GET", "/recognition/specs/{spec_id}", None),
        ("PATCH", "/recognition/specs/{spec_id}", {"name": "mine"}),
        ("PUT", "/recognition/specs/{spec_id}", {"name": "mine"}),
        ("DELETE", "/recognition/specs/{spec_id}", None),
        ("GET", "/recognition/specs/{spec_id}/versions", None),
        ("POST", "/recognition/specs/{spec_id}/inference", IMAGE),
        ("GET", "/recognition/versions/{id}", None),
        ("DELETE", "/recognition/versions/{id}", None),
        ("POST", "/recognition/versions/{id}/inference", IMAGE),
    ],
)
def test_others_read_as_not_found(stranger: Caller, version: dict[str, Any], method: str, path: str, body: Any) -> None:
    response = stranger.send(method, path.format(**version), json=body)
    assert response.status_code == 404
    assert set(response.get_json()) == {"error"}


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
