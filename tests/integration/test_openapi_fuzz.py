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
OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=20",
    "--continue-on-failure",
    "--suppress-health-check=all",
    "--request-timeout=30",  # the example of a bounded wait is 10 s, as is the default
)

# All checks. Much that makes a body valid cannot be said in JSON Schema (what it refers to must exist, the corners of a
# box must be in order, there must be one number for each label or channel), so a body that is valid by the document may
# get a 400; and the server refuses a request line that is far too long before it looks at what is in it.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "414"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "414", "415"]

[generation]
deterministic = true
"""
# Every path leads to something that exists, so that requests get further than to a 404: until it is deleted.
OF_WHAT_EXISTS = """
[[operations]]
include-method = ["GET", "PATCH", "PUT", "POST"]
parameters = {kept}

[[operations]]
include-method = "DELETE"
parameters = {to_delete}
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


def create_resources(http: httpx.Client) -> dict[str, Any]:
    """Return the parameters of paths at which there is something from now on."""
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


def path_parameters(values: dict[str, Any]) -> str:
    """Return a table of TOML that fixes the parameters of paths."""
    pairs = (f'"path.{name}" = {json.dumps(value)}' for name, value in values.items())
    return f"{{ {', '.join(pairs)} }}"


def run_schemathesis(service: Service, key: str, folder: Path, configuration: str) -> str:
    """Run Schemathesis in ``folder``, where it finds nothing of former runs, and return what it wrote."""
    (folder / "schemathesis.toml").write_text(configuration)
    document = f"{service.url}/v0.7/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", document]
    ended = subprocess.run(
        [*command, "--header", f"X-API-KEY: {key}", *OPTIONS],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_answer_is_one_that_the_document_allows(
    service: Service, key: str, http: httpx.Client, tmp_path: Path
) -> None:
    kept, to_delete = create_resources(http), create_resources(http)
    operations = OF_WHAT_EXISTS.format(kept=path_parameters(kept), to_delete=path_parameters(to_delete))
    output = run_schemathesis(service, key, tmp_path, CONFIGURATION + operations)
    assert re.search(r"Selected: (\d+)/\1\n\s+Tested: \1\n", output), output

    paths = {"network_id": "/networks", "spec_id": "/recognition/specs", "version_id": "/recognition/versions"}
    for name, path in paths.items():
        assert http.get(f"{path}/{kept[name]}").status_code == 200
        assert http.get(f"{path}/{to_delete[name]}").status_code == 404
