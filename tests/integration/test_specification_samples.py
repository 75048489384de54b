"""Every code sample of the user's document about recognition specifications, run as written against a live service.

Only hosts are replaced: that of the API, and the one on which the image lies. The service is a new one, and is brought
back to the same state before each test, so that the specification 42 and its version 123, which the samples name,
exist; so does the public ``fashion-v4``.

A block is a sample if it says all that it does. One with a placeholder (``{SPEC_ID}``, ``create(...)``), or with
nothing but a method and an address, defines an endpoint and cannot be run; such blocks are counted, so that none
disappears unseen. In the two samples for an older client, ``deepomatic.Client`` is written as its path is now.

The document is no part of this repository. In a clone without it these tests are skipped; ``docs/api.md`` has samples
of the same requests, which are run everywhere.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import deepomatic.api.client  # the samples for an older client expect to find it below ``deepomatic``
import httpx
import pytest

from demo import IMAGES_FOLDER, MODELS_FOLDER
from tests.integration.file_server import served
from tests.integration.samples import OLD_CLASS, Answer, SampleRunner
from tests.integration.specification_document import DOCUMENT, Block, blocks_of
from tests.integration.tasks import ended_task
from tests.service import Service, running_service, service_environment

pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(), reason="recognition-specification.md is not in ../shared/contract beside this checkout"
)

SPEC_ID, VERSION_ID, PUBLIC_ID = 42, 123, "fashion-v4"
LABELS = [
    {"id": 0, "name": "circle"},
    {"id": 1, "name": "square"},
    {"id": 2, "name": "triangle"},
    {"id": 3, "name": "star"},
]
OUTPUTS = [{"labels": {"labels": LABELS, "exclusive": True, "roi": "NONE"}}]
CLASSIFICATION = [{"classification": {"output_tensor": "output"}}]

# The answer to "create" that the document shows has a task_id too, which its table of the object's fields lacks.
SPEC_FIELDS = {"id", "name", "description", "metadata", "create_date", "update_date", "current_version_id", "outputs"}
PREDICTION_FIELDS = {"label_id", "label_name", "score", "threshold"}
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

Run = Callable[[str], list[Answer]]


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return list(blocks_of(DOCUMENT.read_text()))


@pytest.fixture(scope="module")
def new_service(deployed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of these tests alone: in a new one it is known which IDs come next."""
    folder = shutil.copytree(deployed_folder, tmp_path_factory.mktemp("samples") / "data")
    with running_service(folder, RECOQ_API_PROCESSES="1") as service:
        publish = [sys.executable, "-m", "cli", "publish", str(MODELS_FOLDER / "shapes-v1"), "--slug", PUBLIC_ID]
        subprocess.run(publish, env=service_environment(service.data_folder), check=True, capture_output=True)
        create_spec_and_version(service)
        yield service


def create_spec_and_version(service: Service) -> None:
    """Create specifications and versions until there are those that the samples name."""
    with http_client(service) as http:
        spec_id = 0
        while spec_id < SPEC_ID:
            spec = http.post("/recognition/specs", json={"name": "a specification", "outputs": OUTPUTS})
            spec_id = spec.raise_for_status().json()["id"]
        version_id = 0
        while version_id < VERSION_ID:
            new = {"spec_id": SPEC_ID, "network_id": PUBLIC_ID, "post_processings": CLASSIFICATION}
            version_id = http.post("/recognition/versions", json=new).raise_for_status().json()["id"]
    assert (spec_id, version_id) == (SPEC_ID, VERSION_ID)


def http_client(service: Service) -> httpx.Client:
    return httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}, timeout=30)


@pytest.fixture(scope="module")
def first_state(new_service: Service) -> Iterator[sqlite3.Connection]:
    """The service's database as it was when all was there that the samples name."""
    with (
        closing(sqlite3.connect(":memory:")) as kept,
        closing(sqlite3.connect(new_service.data_folder / "recoq.db")) as live,
    ):
        live.backup(kept)
        yield kept


@pytest.fixture
def runner(new_service: Service, first_state: sqlite3.Connection, tmp_path: Path) -> Iterator[SampleRunner]:
    with closing(sqlite3.connect(new_service.data_folder / "recoq.db")) as live:
        first_state.backup(live)
    image = tmp_path / "resources" / "demos" / "api-clients" / "dog2.jpg"
    image.parent.mkdir(parents=True)
    shutil.copy(IMAGES_FOLDER / "circle.jpg", image)
    with served(tmp_path) as images:
        yield SampleRunner(new_service.url, images, new_service.key, tmp_path)


@pytest.fixture
def http(new_service: Service) -> Iterator[httpx.Client]:
    with http_client(new_service) as client:
        yield client


@pytest.fixture(params=["bash", "python"])
def run(
    request: pytest.FixtureRequest, runner: SampleRunner, blocks: list[Block], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the samples of a section in one of the two languages; returns the API's answers."""

    def run_section(section: str) -> list[Answer]:
        codes = [each.code for each in samples(blocks, request.param) if each.section == section]
        if request.param == "bash":
            return [answer for code in codes for answer in runner.curl(code)]
        return [answer for code in codes for answer in runner.python(code, monkeypatch)]

    return run_section


def samples(blocks: list[Block], language: str) -> list[Block]:
    return [block for block in blocks if block.language == language and block.is_runnable]


def sample(blocks: list[Block], language: str, section: str) -> str:
    [only] = [block.code for block in samples(blocks, language) if block.section == section]
    return only


def outcomes(answers: list[Answer]) -> list[tuple[int, str]]:
    return [(answer.status, answer.method) for answer in answers]


def names_of(predictions: list[dict[str, Any]]) -> list[str]:
    return [prediction["label_name"] for prediction in predictions]


def labels_of(http: httpx.Client, answer: Answer) -> dict[str, Any]:
    """Return the labels of the task that an inference sample started, having checked the shape of all of it."""
    assert set(answer.body) == {"task_id"}
    assert isinstance(answer.body["task_id"], str)
    task = ended_task(http, httpx.Response(answer.status, json=answer.body))
    assert task["status"] == "success", task["error"]
    [output] = task["data"]["outputs"]
    labels: dict[str, Any] = output["labels"]
    assert set(labels) == {"predicted", "discarded"}
    for prediction in labels["predicted"] + labels["discarded"]:
        assert set(prediction) == PREDICTION_FIELDS
    return labels


def test_no_block_of_the_document_is_overlooked(blocks: list[Block]) -> None:
    """Eleven definitions cannot be run; 6 curl samples and 7 Python samples can, one of which defines the lists."""
    assert Counter(block.language for block in blocks) == {"bash": 12, "python": 12, "javascript": 5}
    sections = ["Create a specification", "List specifications", "Retrieve a specification",
                "Edit a specification", "Delete a specification", "Specification Inference"]  # fmt: skip
    assert [block.section for block in samples(blocks, "bash")] == sections
    assert [block.section for block in samples(blocks, "python")] == sorted(
        [*sections, sections[1]], key=sections.index
    )
    assert sum(block.code.count("\ncurl ") + block.code.startswith("curl ") for block in samples(blocks, "bash")) == 11
    of_older_client = [block.section for block in blocks if OLD_CLASS in block.code]
    assert of_older_client == ["List specifications", "Retrieve a specification"]
    assert deepomatic.api.client.Client.__name__ == "Client"


def test_specification_is_created(run: Run, http: httpx.Client) -> None:
    [answer] = run("Create a specification")
    assert (answer.status, answer.method) == (201, "POST")
    spec = answer.body
    assert set(spec) == SPEC_FIELDS
    assert spec["current_version_id"] is None
    assert spec["metadata"]["author"] == "me"
    assert [label["name"] for label in spec["outputs"][0]["labels"]["labels"]] == ["hot-dog", "not hot-dog"]
    assert DATE.fullmatch(spec["create_date"])
    assert DATE.fullmatch(spec["update_date"])
    assert http.get(f"/recognition/specs/{spec['id']}").json() == spec


def test_specifications_are_listed(run: Run) -> None:
    answers = run("List specifications")
    assert set(outcomes(answers)) == {(200, "GET")}
    for page in [answer.body for answer in answers]:
        assert set(page) == {"count", "next", "previous", "results"}
        assert page["count"] == len(page["results"])
    for public in [answer.body["results"] for answer in answers[::2]]:
        assert PUBLIC_ID in [spec["id"] for spec in public]
        assert all(set(spec) == SPEC_FIELDS - {"outputs", "current_version_id"} for spec in public)
    for own in [answer.body["results"] for answer in answers[1::2]]:
        assert SPEC_ID in [spec["id"] for spec in own]
        assert all(set(spec) == SPEC_FIELDS - {"outputs"} for spec in own)


def test_specifications_are_retrieved_by_curl(runner: SampleRunner, blocks: list[Block]) -> None:
    public, own = runner.curl(sample(blocks, "bash", "Retrieve a specification"))
    assert outcomes([public, own]) == [(200, "GET")] * 2
    assert public.body["id"] == PUBLIC_ID
    assert set(public.body) == SPEC_FIELDS - {"current_version_id"}
    assert own.body["id"] == SPEC_ID
    assert set(own.body) == SPEC_FIELDS


def test_specifications_are_retrieved_by_the_client(
    runner: SampleRunner, blocks: list[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client asks for a resource when it is looked into, so the sample is made to look."""
    code = sample(blocks, "python", "Retrieve a specification")
    assert runner.python(code, monkeypatch) == []
    looking, count = re.subn(r"^(client\.RecognitionSpec\.retrieve\(.*\))$", r"\1.data()", code, flags=re.MULTILINE)
    answers = runner.python(looking, monkeypatch)
    assert count == 2
    assert [(answer.status, answer.body["id"]) for answer in answers] == [(200, PUBLIC_ID), (200, SPEC_ID)]


def test_specification_is_edited(run: Run, http: httpx.Client) -> None:
    """With curl, this is the first of three lenient cases: PATCH with a form-encoded body."""
    before = http.get(f"/recognition/specs/{SPEC_ID}").json()
    [answer] = run("Edit a specification")
    assert (answer.status, answer.method, answer.path.rstrip("/")) == (
        200,
        "PATCH",
        f"/v0.7/recognition/specs/{SPEC_ID}",
    )
    changed = {"name": "new name", "current_version_id": VERSION_ID, "update_date": answer.body["update_date"]}
    assert answer.body == {**before, **changed}
    assert before["current_version_id"] != VERSION_ID
    assert before["update_date"] < answer.body["update_date"]


def test_specification_is_deleted_with_its_versions(run: Run, http: httpx.Client) -> None:
    answers = run("Delete a specification")
    assert (answers[-1].status, answers[-1].method, answers[-1].body) == (204, "DELETE", None)
    assert http.get(f"/recognition/specs/{SPEC_ID}").status_code == 404
    assert http.get(f"/recognition/versions/{VERSION_ID}").status_code == 404


def test_inference_by_curl(runner: SampleRunner, blocks: list[Block], http: httpx.Client) -> None:
    """URL, file and base64; the first and the last are the other two lenient cases."""
    code = sample(blocks, "bash", "Specification Inference")
    answers = runner.curl(code)
    assert outcomes(answers) == [(202, "POST")] * 3
    by_url, by_file, by_base64 = (labels_of(http, answer) for answer in answers)
    assert names_of(by_url["predicted"]) == ["circle"]
    assert names_of(by_file["predicted"]) == names_of(by_base64["predicted"]) == ["circle"]
    assert by_file["discarded"] == by_base64["discarded"] == []


def test_json_that_several_options_of_curl_joined_is_read_to_its_end(
    runner: SampleRunner, blocks: list[Block], http: httpx.Client
) -> None:
    """The body is ``{"inputs": …}&show_discarded=True&max_predictions=100``, called JSON."""
    code = sample(blocks, "bash", "Specification Inference")
    assert re.search(r'-d "\{.*\}" \\\n-d show_discarded="True" \\\n.*json" \\\n-d max_predictions=100', code)
    labels = labels_of(http, runner.curl(code)[0])
    assert len(labels["predicted"]) + len(labels["discarded"]) == len(LABELS)
    assert labels["discarded"]
    fewer = labels_of(http, runner.curl(code.replace("max_predictions=100", "max_predictions=2"))[0])
    assert len(fewer["predicted"]) + len(fewer["discarded"]) == 2


def test_base64_with_raw_line_breaks_in_a_json_string_is_read(
    runner: SampleRunner, blocks: list[Block], http: httpx.Client
) -> None:
    code = sample(blocks, "bash", "Specification Inference")
    assert labels_of(http, runner.curl(code)[2])["predicted"]
    encoded = subprocess.run(["base64", "/tmp/img.jpg"], capture_output=True, check=True).stdout
    assert encoded.count(b"\n") > 1, "The sample sent no line breaks."


def test_inference_by_the_client(
    runner: SampleRunner, blocks: list[Block], http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = runner.python(sample(blocks, "python", "Specification Inference"), monkeypatch)
    posts = [answer for answer in answers if answer.method == "POST"]
    assert outcomes(posts) == [(202, "POST")] * 4
    by_url, *others = (labels_of(http, answer) for answer in posts)
    assert by_url["discarded"]
    assert [names_of(labels["predicted"]) for labels in (by_url, *others)] == [["circle"]] * 4
    assert not any(labels["discarded"] for labels in others)
