"""Requests that Schemathesis derives from the OpenAPI document, valid and not, against a live service.

Every answer must be one that the document allows, and never a 5xx. The requests are the same in every run. The command
line of Schemathesis is used, because its plugin for pytest does not know the newest pytest.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import MODELS_FOLDER
from tests.integration.tasks import ended_task
from tests.service import Service, service_environment

MODEL_FOLDER = MODELS_FOLDER / "shapes-v1"
MODEL: dict[str, Any] = json.loads((MODEL_FOLDER / "model.json").read_text())
LONGEST_RUN_SECONDS = 200

# All checks but one. What a valid body refers to must exist, the corners of a box must be in order, there must be one
# number for each label or channel: much that makes a body valid cannot be said in JSON Schema, so a body that is valid
# by the document may get a 400.
CONFIGURATION = """
[checks.positive_data_acceptance]
enabled = false

# The server refuses a request line that is far too long before it looks at what is in it.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "414", "415"]

[generation]
deterministic = true
"""
# Operations that leave a resource in place are given one, so that they get further than to a 404.
OF_WHAT_EXISTS = """
[[operations]]
include-method = ["GET", "PATCH", "PUT", "POST"]
parameters = {{ {parameters} }}
"""


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


def create(http: httpx.Client, path: str, **fields: Any) -> int:
    created: int = http.post(path, json=fields).raise_for_status().json()["id"]
    return created


def create_network(http: httpx.Client) -> dict[str, Any]:
    files = {path.name: path.read_bytes() for path in MODEL_FOLDER.iterdir() if path.name != "model.json"}
    preprocessing = json.dumps(MODEL["preprocessing"])
    fields = {"name": "network", "framework": MODEL["framework"], "preprocessing": preprocessing}
    response = http.post("/networks", data=fields, files=files)
    assert ended_task(http, response)["status"] == "success"
    network: dict[str, Any] = response.json()
    return network


@pytest.fixture(scope="module")
def existing(http: httpx.Client) -> dict[str, Any]:
    """The parameters of paths at which there is something."""
    network = create_network(http)
    spec = create(http, "/recognition/specs", name="specification", outputs=MODEL["outputs"])
    post_processings = MODEL["post_processings"]
    version = create(
        http, "/recognition/versions", spec_id=spec, network_id=network["id"], post_processings=post_processings
    )
    return {
        "network_id": network["id"],
        "spec_id": spec,
        "version_id": version,
        "task_id": network["task_id"],
        "slug": "shapes-v1",
    }


def run_schemathesis(service: Service, key: str, folder: Path, configuration: str, *options: str) -> str:
    """Run Schemathesis in ``folder``, where it finds nothing of former runs, and return what it wrote."""
    (folder / "schemathesis.toml").write_text(configuration)
    document = f"{service.url}/v0.7/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", document]
    ended = subprocess.run(
        [*command, "--header", f"X-API-KEY: {key}", "--continue-on-failure", "--suppress-health-check=all", *options],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_answer_is_one_that_the_document_allows(
    service: Service, key: str, existing: dict[str, Any], tmp_path: Path
) -> None:
    parameters = ", ".join(f'"path.{name}" = {json.dumps(value)}' for name, value in existing.items())
    configuration = CONFIGURATION + OF_WHAT_EXISTS.format(parameters=parameters)
    phases = ("--phases=examples,coverage,fuzzing", "--max-examples=20")
    output = run_schemathesis(service, key, tmp_path, configuration, *phases)
    assert re.search(r"Selected: (\d+)/\1\n\s+Tested: \1\n", output), output


def test_what_is_created_can_be_used_until_it_is_deleted(service: Service, key: str, tmp_path: Path) -> None:
    """Sequences of requests: those that use what the answers before them told, or have deleted."""
    output = run_schemathesis(service, key, tmp_path, CONFIGURATION, "--phases=stateful", "--max-examples=20")
    assert re.search(r"API Links: +[1-9]\d* covered", output), output
