"""Bodies that are broken, ambiguous or hostile get a 400 that names the place."""

import json
from typing import Any

import pytest

from api.bodies.multipart import MAX_PARTS
from api.bodies.reader import MAX_FORM_FIELDS
from tests.unit.api.callers import JPEG, Caller

SPECS = "/recognition/specs"
SOURCE = "inputs[0]image.source"
OUTPUTS = '[{"labels": {"roi": "NONE", "exclusive": true, "labels": [{"id": 0, "name": "x"}]}}]'


def refusal(response: Any) -> str:
    assert response.status_code == 400, response.text
    sentence: str = response.get_json()["error"]
    return sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (f'{{"name": "a", "outputs": {OUTPUTS}', "The body is not valid JSON: Expecting ',' delimiter at line 1"),
        (f'{{"name": "a", "name": "b", "outputs": {OUTPUTS}}}', 'The body is not valid JSON: the key "name" is given'),
        (f'{{"name": "a", "metadata": {{"x": NaN}}, "outputs": {OUTPUTS}}}', "The body is not valid JSON: NaN is not"),
        (f'{{"name": "\\ud800", "outputs": {OUTPUTS}}}', "The body is not valid JSON: a lone surrogate in name."),
        (
            f'{{"name": {"[" * 10_000}{"]" * 10_000}}}',
            "The body is not valid JSON: nested deeper than 64 levels at line",
        ),
        ("", "The body is empty; it should be a JSON object."),
        ("[]", "The body should be a JSON object."),
    ],
)
def test_json_that_is_none_is_refused_with_its_place(admin: Caller, body: str, sentence: str) -> None:
    response = admin.post(SPECS, data=body, content_type="application/json")
    assert refusal(response).startswith(sentence)


def part(name: str, data: bytes, content_type: str = "") -> bytes:
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n'
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"{head}{kind}\r\n".encode() + data + b"\r\n"


IMAGE = part(SOURCE, JPEG)
END = b"--B--\r\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (IMAGE, "The multipart body is broken or ends too early."),
        (b"--B\r\n\r\nx\r\n" + END, "The multipart body is broken or ends too early."),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, "A part of the multipart body has no name."),
        (IMAGE + IMAGE + END, f"{SOURCE}: It is given more than once."),
        (IMAGE + part("inputs[0].image.source", JPEG) + END, "inputs[0].image.source: It is given more than once."),
        (IMAGE + part("inputs", b"[]") + END, "inputs: It is given more than once."),
        (IMAGE + part("inputs.x", b"1") + END, "inputs.x: It contradicts another field of the form."),
        (part("inputs[7]image.source", JPEG) + END, "inputs: Its elements must be numbered from 0 without gaps."),
        (IMAGE + part("inputs[2]image.source", JPEG) + END, "inputs: Its elements must be numbered from 0 without"),
        (
            IMAGE + part("inputs[0]image.polygon[1]x", b"0") + END,
            "inputs.0.image.polygon: Its elements must be numbered from 0 without gaps.",
        ),
        (part("inputs[999999999]image.source", JPEG) + END, "inputs[999999999]image.source: Unknown field."),
        (part("a" + ".b" * 10_000, b"1") + END, "a.b.b"),
        (part("inputs", b"[" * 10_000 + b"]" * 10_000) + END, "inputs: Must be valid JSON: nested deeper than 64"),
        (
            part("inputs", b'[{"image": {"source": "https://e.com/1", "source": "https://e.com/2"}}]') + END,
            'inputs: Must be valid JSON: the key "source" is given more than once in one object.',
        ),
        (IMAGE + part("max_predictions", b"NaN") + END, "max_predictions: Must be an integer."),
        (IMAGE + part("inputs[0]image.bbox.xmin", b"nan") + END, "inputs.0.image.bbox.xmin: Must be a number."),
        (IMAGE + part("show_discarded", b"yes") + END, "show_discarded: Must be true or false."),
        (part("x" * 400_000, b"1") + END, "A part of the multipart body has too long a header."),
        (
            b"".join(part(f"x{index}", b"1") for index in range(MAX_PARTS + 1)) + END,
            f"A multipart body may have at most {MAX_PARTS} parts.",
        ),
    ],
)
def test_multipart_that_cannot_be_read_is_refused_with_its_place(
    admin: Caller, version: dict[str, Any], body: bytes, sentence: str
) -> None:
    path = f"/recognition/versions/{version['id']}/inference"
    response = admin.post(path, data=body, content_type="multipart/form-data; boundary=B")
    assert refusal(response).startswith(sentence)


@pytest.mark.parametrize("content_type", ["multipart/form-data", 'multipart/form-data; boundary=""'])
def test_multipart_without_a_boundary_is_refused(admin: Caller, version: dict[str, Any], content_type: str) -> None:
    path = f"/recognition/versions/{version['id']}/inference"
    response = admin.post(path, data=IMAGE + END, content_type=content_type)
    assert refusal(response) == "The Content-Type of a multipart body must name its boundary."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"name=a&name=b", "name: It is given more than once."),
        (b"name=%ff&outputs=" + OUTPUTS.encode(), "name: Must be text in UTF-8."),
        (b"%ff=1", "A field name of the form is not UTF-8."),
        (b"outputs[1]labels.roi=NONE&name=a", "outputs: Its elements must be numbered from 0 without gaps."),
        (b'{"name": "a"}', "The body looks like JSON; send it with the Content-Type application/json."),
        (b"a=1&" * (MAX_FORM_FIELDS + 1), f"A form may have at most {MAX_FORM_FIELDS} fields."),
    ],
)
def test_form_that_cannot_be_read_is_refused_with_its_place(admin: Caller, body: bytes, sentence: str) -> None:
    response = admin.post(SPECS, data=body, content_type="application/x-www-form-urlencoded")
    assert refusal(response).startswith(sentence)


@pytest.mark.parametrize("tail", ["&show_discarded=False", "&show_discarded=1&show_discarded=1"])
def test_field_in_json_and_again_in_what_curl_joined_is_refused(
    admin: Caller, version: dict[str, Any], tail: str
) -> None:
    inputs = {"inputs": [{"image": {"source": "https://example.com/a.jpg"}}], "show_discarded": True}
    path = f"/recognition/versions/{version['id']}/inference"
    response = admin.post(path, data=json.dumps(inputs) + tail, content_type="application/json")
    assert refusal(response) == "show_discarded: It is given more than once."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"description": "x" * 65_537}, "description: Must have at most 65536 characters, and has 65537."),
        ({"metadata": {"a": "x" * 65_536}}, "metadata: Must have at most 65536 bytes as JSON, and has 65544."),
    ],
)
def test_what_lists_would_repeat_a_thousand_times_is_bounded(admin: Caller, body: Any, sentence: str) -> None:
    response = admin.post(SPECS, json={"name": "a", "outputs": json.loads(OUTPUTS), **body})
    assert refusal(response) == sentence


@pytest.mark.parametrize("count", [1999, 2000])
def test_query_of_more_arguments_than_any_view_reads_is_refused(admin: Caller, count: int) -> None:
    response = admin.get(f"{SPECS}?{'a&' * count}")
    assert response.status_code == (200 if count < 2000 else 400)


WRONG = [None, True, False, -1, 1.5, 2**70, "", "x", [], {}, [None], [[]], [{}], {"x": None}]
PLACES = [
    ("name", lambda wrong: {"name": wrong}),
    ("metadata", lambda wrong: {"metadata": wrong}),
    ("outputs", lambda wrong: {"outputs": wrong}),
    ("outputs.0", lambda wrong: {"outputs": [wrong]}),
    ("outputs.0.labels", lambda wrong: {"outputs": [{"labels": wrong}]}),
]
FINE = {"name": ("x",), "metadata": ({}, {"x": None})}


@pytest.mark.parametrize(("place", "body"), PLACES, ids=[place for place, _ in PLACES])
def test_value_of_a_wrong_type_is_refused_at_its_path(admin: Caller, place: str, body: Any) -> None:
    whole = {"name": "x", "outputs": json.loads(OUTPUTS)}
    for wrong in WRONG:
        if wrong in FINE.get(place, ()):
            continue
        sent = json.dumps({**whole, **body(wrong)})
        response = admin.post(SPECS, data=sent, content_type="application/json")
        assert response.status_code == 400, (place, wrong)
        assert all(path == place or path.startswith(f"{place}.") for path in response.get_json()["errors"]), wrong
