"""Whatever is sent, the answer is never a failure of the server."""

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.schemas.fields import MOST_ERRORS
from tests.unit.api.callers import Caller, output

ADDRESSES = [
    ("POST", "/networks"),
    ("POST", "/recognition/specs"),
    ("POST", "/recognition/versions"),
    ("PATCH", "/recognition/specs/{spec_id}"),
    ("PUT", "/recognition/specs/{spec_id}"),
    ("PATCH", "/networks/{network_id}"),
    ("POST", "/recognition/versions/{id}/inference"),
    ("POST", "/networks/{network_id}/inference"),
]
FIELDS = [
    "name",
    "description",
    "metadata",
    "outputs",
    "inputs",
    "image",
    "source",
    "bbox",
    "polygon",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "x",
    "y",
    "labels",
    "id",
    "exclusive",
    "roi",
    "spec_id",
    "network_id",
    "post_processings",
    "classification",
    "detection",
    "thresholds",
    "output_tensor",
    "direct_output",
    "anchors",
    "yolo_output",
    "output_tensors",
    "show_discarded",
    "max_predictions",
    "current_version_id",
    "preprocessing",
    "framework",
]
VALUES = ["NONE", "BBOX", "pytorch-2.x", "https://example.com", "data:image/*;base64,AA==", "1", "True"]
CONTENT_TYPES = [
    "application/json",
    "multipart/form-data; boundary=B",
    "application/x-www-form-urlencoded",
    "",
    "x/y",
]

LONGEST_SECONDS = 5.0

words = st.sampled_from([*FIELDS, *VALUES])
text = words | st.text(max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | text, inner, max_size=4),
    max_leaves=15,
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=6)

many = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def target(admin: Caller) -> dict[str, Any]:
    return admin.version()


def check(response: Any) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.get_json()["error"]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_any_json_is_answered(admin: Caller, target: dict[str, Any], method: str, path: str) -> None:
    @many
    @given(bodies)
    def send(body: Any) -> None:
        options = {"data": json.dumps(body), "content_type": "application/json"}
        check(admin.send(method, path.format(**target), **options))

    send()


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_any_form_is_answered(admin: Caller, target: dict[str, Any], method: str, path: str) -> None:
    names = st.lists(st.sampled_from([*FIELDS, "[0]", "[1]", ".", "x", "[", "é"]), max_size=5).map("".join)
    content = st.binary(max_size=20) | text.map(str.encode)

    @many
    @given(st.lists(st.tuples(names, content, st.sampled_from(["", "application/json", "image/png"])), max_size=5))
    def send(parts: list[tuple[str, bytes, str]]) -> None:
        body = b"".join(
            b'--B\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n'
            % (name.encode(), kind.encode(), data)
            for name, data, kind in parts
        )
        options = {"data": body + b"--B--\r\n", "content_type": "multipart/form-data; boundary=B"}
        check(admin.send(method, path.format(**target), **options))

    send()


@many
@given(
    st.binary(max_size=200),
    st.sampled_from(CONTENT_TYPES),
)
def test_any_bytes_are_answered(admin: Caller, data: bytes, content_type: str) -> None:
    check(admin.post("/recognition/specs", data=data, content_type=content_type))


@many
@given(
    st.text(max_size=20), st.dictionaries(st.sampled_from(["offset", "limit", "task_ids", "x"]), st.text(max_size=10))
)
def test_any_address_is_answered(admin: Caller, end: str, query: dict[str, str]) -> None:
    for start in ("/tasks", "/networks/public/", "/recognition/specs/", "/docs/"):
        with admin.get(start + quote(end), query_string=query) as response:
            assert response.status_code < 500


@many
@given(bodies)
def test_accepted_specifications_are_shown_as_they_were_sent(admin: Caller, metadata: dict[str, Any]) -> None:
    body = json.dumps({"name": "x", "outputs": [output()], "metadata": metadata})
    response = admin.post("/recognition/specs", data=body, content_type="application/json")
    if response.status_code == 201:
        assert admin.get(f"/recognition/specs/{response.get_json()['id']}").get_json()["metadata"] == metadata


@pytest.mark.parametrize(
    ("body", "most_errors"),
    [
        pytest.param({"inputs": [[]] * 140_000}, MOST_ERRORS, id="elements"),
        pytest.param({str(number): 0 for number in range(140_000)}, 1, id="fields"),
        pytest.param({"inputs": [{str(number): 0 for number in range(45_000)}] * 3}, 3, id="fields of elements"),
        pytest.param({"inputs": [{"image": {"polygon": [{"x": 0, "y": 0}] * 90_000}}]}, 2, id="points"),
    ],
)
def test_very_many_mistakes_are_answered_soon_and_shortly(
    admin: Caller, version: dict[str, Any], body: dict[str, Any], most_errors: int
) -> None:
    start = time.monotonic()
    response = admin.post(f"/recognition/versions/{version['id']}/inference", json=body)
    assert time.monotonic() - start < LONGEST_SECONDS
    assert response.status_code == 400
    assert 1 <= len(response.get_json()["errors"]) <= most_errors
    assert len(response.data) < 10_000
