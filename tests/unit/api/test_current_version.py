"""Each process remembers what specifications run, and yet a change counts from the next request on."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from api.app import create_app
from api.services import Services, open_services
from config.settings import Settings
from tests.unit.api.callers import PREPROCESSING, Caller

IMAGE = {"image": {"source": "https://images.example/1.jpg"}}


@pytest.fixture
def beside(api_settings: Settings, services: Services, admin: Caller) -> Iterator[Caller]:
    """The same caller at another process of the API."""
    with closing(open_services(api_settings)) as opened:
        yield Caller(create_app(api_settings, opened).test_client(), admin.key)


@pytest.fixture
def current(admin: Caller) -> dict[str, Any]:
    """The current version of a specification, remembered."""
    version = admin.version()
    for _ in range(2):
        assert run(admin, version["spec_id"]).status_code == 202
    return version


def run(caller: Caller, spec_id: int, images: int = 1) -> Any:
    return caller.post(f"/recognition/specs/{spec_id}/inference", json={"inputs": [IMAGE] * images})


def version_of(services: Services, answer: Any) -> int:
    """Return the version that an accepted request is run with."""
    assert answer.status_code == 202, answer.text
    [claimed] = services.ledger.claim_many([answer.get_json()["task_id"]], "worker", 60, 3)
    version_id: int = claimed.request["version_id"]
    return version_id


@pytest.mark.parametrize("same_process", [True, False])
def test_switch_counts_at_once(
    admin: Caller, beside: Caller, services: Services, current: dict[str, Any], same_process: bool
) -> None:
    spec_id = current["spec_id"]
    later = admin.version(spec_id, current["network_id"])
    switching = admin if same_process else beside
    for version in (later, current, later):
        assert run(admin, spec_id).status_code == 202
        switching.patch(f"/recognition/specs/{spec_id}", json={"current_version_id": version["id"]})
        assert version_of(services, run(admin, spec_id)) == version["id"]


def test_deleted_specification_is_gone_at_once(admin: Caller, beside: Caller, current: dict[str, Any]) -> None:
    assert beside.delete(f"/recognition/specs/{current['spec_id']}").status_code == 204
    assert run(admin, current["spec_id"]).status_code == 404


def test_deleted_version_is_not_run(admin: Caller, beside: Caller, current: dict[str, Any]) -> None:
    assert beside.delete(f"/recognition/versions/{current['id']}").status_code == 204
    assert "no current version" in run(admin, current["spec_id"]).get_json()["error"]


def test_first_version_counts_at_once(admin: Caller, beside: Caller) -> None:
    spec_id = admin.spec()
    assert run(admin, spec_id).status_code == 400
    beside.version(spec_id)
    assert run(admin, spec_id).status_code == 202


def test_images_are_counted_for_the_version_that_is_current_now(
    admin: Caller, beside: Caller, current: dict[str, Any]
) -> None:
    spec_id = current["spec_id"]
    two_inputs = [{**PREPROCESSING["inputs"][0], "tensor_name": name} for name in ("left", "right")]
    other = beside.version(spec_id, beside.network(preprocessing=json.dumps({**PREPROCESSING, "inputs": two_inputs})))
    beside.patch(f"/recognition/specs/{spec_id}", json={"current_version_id": other["id"]})
    assert run(admin, spec_id, images=2).status_code == 202
    assert run(admin, spec_id, images=1).status_code == 400
