"""Requests that Schemathesis derives from the OpenAPI document, valid and not, against a live service.

Every answer must be one that the document allows. The requests are the same in every run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from demo import MODELS_FOLDER
from tests.integration.tasks import ended_task
from tests.service import Service, service_environment

MODEL_FOLDER = MODELS_FOLDER / "shapes-v1"
EXAMPLES_PER_OPERATION = 15
SPARES = 3

# What a valid request refers to must exist, a box must have its corners in order, there must be one number for each
# label or channel: much of what makes a body valid cannot be said in JSON Schema, so a valid body may get a 400.
EXCLUDED_CHECKS = [positive_data_acceptance]


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    """A key of an account of its own, whose resources may be changed and deleted at will."""
    create = [sys.executable, "-m", "cli", "keys", "create", "--account", "fuzz"]
    environment = service_environment(service.data_folder)
    return subprocess.run(create, env=environment, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def http(service: Service, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": key}, timeout=30) as client:
        yield client


class Resources:
    """What there is in the account, so that requests get further than to a 404."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._model = json.loads((MODEL_FOLDER / "model.json").read_text())
        network, spec = self._network(), self._spec()
        self._kept: dict[str, Any] = {
            "network_id": network,
            "spec_id": spec,
            "version_id": self._version(spec, network),
            "task_id": self._http.get(f"/networks/{network}").json()["task_id"],
            "slug": "shapes-v1",
        }
        self._spare = {
            "network_id": [self._network() for _ in range(SPARES)],
            "spec_id": [self._spec() for _ in range(SPARES)],
            "version_id": [self._version(spec, network) for _ in range(SPARES)],
        }

    def existing(self, name: str, method: str) -> Any:
        """Return an ID for a parameter of a path; None when there is nothing left to delete."""
        if method != "DELETE":
            return self._kept[name]
        return self._spare[name].pop() if self._spare[name] else None

    def _network(self) -> int:
        fields = {"name": "network", **{name: json.dumps(self._model[name]) for name in ("framework", "preprocessing")}}
        files = {path.name: path.read_bytes() for path in MODEL_FOLDER.iterdir() if path.name != "model.json"}
        response = self._http.post("/networks", data={**fields, "framework": self._model["framework"]}, files=files)
        assert ended_task(self._http, response)["status"] == "success"
        network_id: int = response.json()["id"]
        return network_id

    def _spec(self) -> int:
        return self._created("/recognition/specs", name="specification", outputs=self._model["outputs"])

    def _version(self, spec: int, network: int) -> int:
        post_processings = self._model["post_processings"]
        return self._created(
            "/recognition/versions", spec_id=spec, network_id=network, post_processings=post_processings
        )

    def _created(self, path: str, **fields: Any) -> int:
        created: int = self._http.post(path, json=fields).raise_for_status().json()["id"]
        return created


@pytest.fixture(scope="module")
def resources(http: httpx.Client) -> Resources:
    return Resources(http)


@pytest.fixture(scope="module")
def document(service: Service) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{service.url}/v0.7/openapi.json", config=SchemathesisConfig())


@schemathesis.pytest.from_fixture("document").parametrize()
@settings(max_examples=EXAMPLES_PER_OPERATION, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_allows(
    case: schemathesis.Case, resources: Resources, key: str
) -> None:
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        for name, generated in case.path_parameters.items():
            case.path_parameters[name] = resources.existing(name, case.method) or generated
    case.call_and_validate(headers={"X-API-KEY": key}, excluded_checks=EXCLUDED_CHECKS)
