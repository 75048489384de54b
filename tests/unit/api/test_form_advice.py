"""A form without an image where it should be is told the field to send, as it is written in a form."""

from typing import Any

import pytest

from tests.unit.api.callers import JPEG, Caller

FIELD = "inputs[0]image.source"
MULTIPART = "multipart/form-data; boundary=B"
URL_ENCODED = "application/x-www-form-urlencoded"


def advice(field: str) -> str:
    return f" A form holds one image for each input, here {field}; with curl: -F '{field}=@image.jpg'."


def form(*parts: tuple[str, bytes, bool]) -> bytes:
    """Return a multipart body of these names and contents; those that are files have a filename."""
    return b"".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"{"; filename=x.jpg" * is_file}\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data, is_file in parts
    ) + (b"--B--\r\n")


def file(name: str) -> tuple[str, bytes, bool]:
    return name, JPEG, True


def text(name: str, value: str) -> tuple[str, bytes, bool]:
    return name, value.encode(), False


def refused(response: Any) -> str:
    assert response.status_code == 400, response.text
    sentence: str = response.get_json()["error"]
    return sentence


@pytest.fixture(params=["/recognition/versions/{id}", "/recognition/specs/{spec_id}", "/networks/{network_id}"])
def address(request: pytest.FixtureRequest, version: dict[str, Any]) -> str:
    path: str = request.param
    return path.format(**version) + "/inference"


MISTAKES = [
    [file("image")],
    [file("file")],
    [file("source")],
    [file("image.source")],
    [file("inputs")],
    [file("inputs[0]")],
    [file("inputs[0]image")],
    [file("inputs[0].image")],
    [file("inputs.0.image.source")],
    [file("inputs[0][image][source]")],
    [file("inputs[][image][source]")],
    [file("inputs[]")],
    [file("inputs[1]image.source")],
    [file("items[0]inputs[0]image.source")],
    [file("")],
    [file(FIELD), file(FIELD)],
    [file(FIELD), file("image")],
    [file(FIELD), file("inputs[1]image.source")],
    [text(FIELD, "x.jpg")],
    [text(FIELD, "/home/me/x.jpg")],
    [text(FIELD, "/9j/4AAQSkZJRgABAQ")],
    [text("json", '{"inputs": []}')],
    [text("max_predictions", "3")],
    [(FIELD, b"", True)],
    [],
]


@pytest.mark.parametrize("parts", MISTAKES, ids=lambda parts: " ".join(name for name, *_ in parts))
def test_misplaced_image_is_told_its_field(admin: Caller, address: str, parts: list[tuple[str, bytes, bool]]) -> None:
    response = admin.post(address, data=form(*parts), content_type=MULTIPART)
    assert refused(response).endswith(advice(FIELD))
    assert FIELD not in str(list(response.get_json()["errors"].values()))


def test_second_input_is_told_its_own_field(admin: Caller, address: str) -> None:
    for name, value in (("inputs[1]image.source", "x.jpg"), ("inputs[1]image", "{}")):
        response = admin.post(address, data=form(file(FIELD), text(name, value)), content_type=MULTIPART)
        assert refused(response).endswith(advice("inputs[1]image.source"))


@pytest.mark.parametrize(
    "parts",
    [
        [file(FIELD), text("max_predictions", "x"), text("priority", "x"), text("output_tensors", "x")],
        [file(FIELD), text("inputs[0]image.bbox.xmin", "x")],
        [file(FIELD), text("inputs[0]image.polygon", "x")],
    ],
    ids=["arguments", "bbox", "polygon"],
)
def test_other_mistakes_have_no_such_advice(
    admin: Caller, version: dict[str, Any], parts: list[tuple[str, bytes, bool]]
) -> None:
    path = f"/recognition/versions/{version['id']}/inference"
    known = [part for part in parts if part[0] != "output_tensors"]
    assert "curl" not in refused(admin.post(path, data=form(*known), content_type=MULTIPART))


def test_url_encoded_forms_have_it_too(admin: Caller, address: str) -> None:
    for body in (b"image=x.jpg", JPEG, b"inputs[0]image.source=x.jpg"):
        response = admin.post(address, data=body, content_type=URL_ENCODED)
        assert refused(response).endswith(advice(FIELD))


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "multipart/mixed; boundary=B", ""])
def test_image_that_is_the_whole_body_is_told_its_form(admin: Caller, address: str, kind: str) -> None:
    response = admin.post(address, data=JPEG, content_type=kind)
    assert response.status_code == 415
    assert response.get_json()["error"].endswith(f" An image is sent as multipart/form-data, in the field {FIELD}.")


@pytest.mark.parametrize("kind", ["application/json", URL_ENCODED])
def test_multipart_under_another_type_is_named(admin: Caller, address: str, kind: str) -> None:
    sentence = refused(admin.post(address, data=form(file(FIELD)), content_type=kind))
    assert (
        sentence == f"The body is multipart/form-data, but its Content-Type is {kind}. Leave that to the HTTP client."
    )


def test_items_of_bulk_requests_are_told_theirs(admin: Caller, address: str) -> None:
    nowhere = admin.post(f"{address}/bulk", data=form(file("image")), content_type=MULTIPART)
    assert refused(nowhere).endswith(advice(f"items[0]{FIELD}"))
    parts = [file(f"items[0]{FIELD}"), file("items[1]image"), text("items[2]inputs[0]image.source", "x.jpg")]
    response = admin.post(f"{address}/bulk", data=form(*parts), content_type=MULTIPART)
    accepted, unknown, forgotten = response.get_json()["tasks"]
    assert accepted["task_id"]
    assert unknown["error"].endswith(advice(f"items[1]{FIELD}"))
    assert forgotten["error"].endswith(advice(f"items[2]{FIELD}"))


def test_json_and_other_endpoints_have_no_such_advice(admin: Caller, address: str) -> None:
    assert "form" not in refused(admin.post(address, json={"image": "x"}))
    bulk = admin.post(f"{address}/bulk", json={"items": [{"image": "x"}]})
    assert "form" not in bulk.get_json()["tasks"][0]["error"]
    assert "image" not in refused(admin.post("/recognition/specs", data=b"image=x", content_type=URL_ENCODED))[20:]
