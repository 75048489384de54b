"""The page about the HTTP API cannot drift: it has every endpoint and status, and names the tests behind its promises.

Its samples are run by ``tests/integration/test_documented_samples.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from api import errors
from api.app import create_app
from config.settings import read_settings
from tests.named_tests import missing_tests, named_tests
from tests.samples import Sample, samples_of, says

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()

ENDPOINT = re.compile(r"^\| `([A-Z]+) (/[^ `]*)` \|", re.MULTILINE)
STATUS = re.compile(r"^\| `(\d{3})` \|", re.MULTILINE)
FILES_OF_THE_PAGES = ("docs.start", "docs.ui_file", "pages.page_file")

Endpoint = tuple[str, str]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application; none of its services is asked for anything."""
    folder = tmp_path_factory.mktemp("api")
    addresses = {"database_url": f"sqlite:///{folder / 'recoq.db'}", "weights_url": (folder / "weights").as_uri()}
    return create_app(replace(read_settings(), data_folder=folder, **addresses))


def served_endpoints(app: Flask) -> Iterator[Endpoint]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in FILES_OF_THE_PAGES:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)


def test_every_endpoint_is_documented_and_every_documented_endpoint_exists(app: Flask) -> None:
    assert set(ENDPOINT.findall(PAGE)) == set(served_endpoints(app))


def statuses_of_errors(app: Flask) -> set[int]:
    raised = {kind.status for kind in errors.RequestError.__subclasses__()}
    raised |= {*errors.STATUS_OF_STORE_ERROR.values(), *errors.SENTENCES, 500}
    paths = app.test_client().get("/v0.7/openapi.json").get_json()["paths"].values()
    operations = [operation for path in paths for method, operation in path.items() if method != "parameters"]
    declared = {status for operation in operations for status in operation["responses"] if status.isdecimal()}
    return raised | {int(status) for status in declared if status >= "400"}


def test_every_status_of_an_error_is_documented(app: Flask) -> None:
    documented = {int(status) for status in STATUS.findall(PAGE)}
    assert {status for status in documented if status >= 400} == statuses_of_errors(app)


def test_every_test_that_is_named_exists() -> None:
    assert len(named_tests(PAGE)) > 100
    assert missing_tests(PAGE) == []


def test_every_block_of_code_is_a_sample_that_is_run() -> None:
    samples = samples_of(PAGE)
    answers = sum(sample.answer != "" for sample in samples)
    assert len(samples) > 30
    assert PAGE.count("\n```") == 2 * (len(samples) + answers)


def test_a_sample_is_what_stands_between_its_fences_with_the_answer_below() -> None:
    text = "Text.\n\n```sh\necho 1  # → no comment of its own\n# → 1\n```\n\n```json\n{}\n```\n\n```json\n[]\n```\n"
    assert samples_of(text) == [
        Sample(language="sh", text="echo 1  # → no comment of its own\n# → 1\n", answer="{}\n", line=3)
    ]


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ('{"task_id": "5"}', '{"task_id":"17"}\n'),
        ('{"id": 3, …, "name": "a b"}', '{"id":12,"x":[1,2],"name":"a b"}'),
        ('{"score": 0.5}', '{"score":2.5e-05}'),
        ('"2026-02-16T16:37:25.148189Z"', '"2027-12-31T00:00:00.000000Z"'),
        ("", "\n"),
    ],
)
def test_what_may_be_otherwise_is_not_compared(said: str, printed: str) -> None:
    assert says(said, printed)


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ('{"task_id": "5"}', '{"task_id":5}'),
        ('{"count": 2}', '{"count":3}'),
        ('{"label_id": 2}', '{"label_id":3}'),
        ('{"name": "a"}', '{"name":"a","more":1}'),
        ("star", "circle"),
        ("", "star"),
        ("star", ""),
    ],
)
def test_what_a_document_says_is_compared(said: str, printed: str) -> None:
    assert not says(said, printed)
