"""What is compressed or encoded is never taken for what it holds."""

import codecs
import gzip
import json
import zlib
from typing import Any

import pytest

from tests.unit.api.callers import JPEG, ZIP, Caller

SPEC = json.dumps(
    {"name": "é", "outputs": [{"labels": {"roi": "NONE", "exclusive": True, "labels": [{"id": 0, "name": "x"}]}}]}
)
SPECS = "/recognition/specs"
MULTIPART = "multipart/form-data; boundary=B"


def form(name: str, data: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"; filename="x"', *headers])
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n--B--\r\n"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP", "aws-chunked"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (SPECS, "application/json"),
        (SPECS, "application/x-www-form-urlencoded"),
        ("/recognition/versions/{id}/inference", MULTIPART),
        ("/networks", MULTIPART),
        ("/networks", "application/json"),
    ],
)
def test_compressed_bodies_are_refused_by_their_coding(
    admin: Caller, version: dict[str, Any], path: str, kind: str, coding: str
) -> None:
    bodies = (gzip.compress(SPEC.encode()), zlib.compress(SPEC.encode()), SPEC.encode())
    for body in bodies:
        headers = {"Content-Encoding": coding}
        response = admin.post(path.format(**version), data=body, content_type=kind, headers=headers)
        assert response.status_code == 415
        named = coding.rsplit(", ", maxsplit=1)[-1]
        assert response.get_json() == {
            "error": f"The Content-Encoding '{named}' is not read; send the body without it."
        }
        assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_bodies_that_are_as_they_are_may_say_so(admin: Caller, coding: str) -> None:
    headers = {"Content-Encoding": coding}
    response = admin.post(SPECS, data=SPEC.encode(), content_type="application/json", headers=headers)
    assert response.status_code == 201


def test_encoding_of_no_body_is_ignored(admin: Caller) -> None:
    assert admin.get(SPECS, headers={"Content-Encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize("header", ["Content-Transfer-Encoding: base64", "Content-Encoding: gzip"])
def test_encoded_parts_are_refused_by_name(admin: Caller, version: dict[str, Any], header: str) -> None:
    name, _, coding = header.partition(": ")
    paths = {
        f"/recognition/versions/{version['id']}/inference": ("inputs[0]image.source", JPEG),
        "/networks": ("model.pt2", ZIP),
    }
    for path, (field, data) in paths.items():
        response = admin.post(path, data=form(field, data, header), content_type=MULTIPART)
        assert response.status_code == 400
        sentence = f"The {name} '{coding}' of the part '{field}' is not read; send its bytes as they are."
        assert response.get_json() == {"error": sentence}


@pytest.mark.parametrize("coding", ["binary", "8bit", "7BIT"])
def test_parts_of_mail_programs_are_read(admin: Caller, version: dict[str, Any], coding: str) -> None:
    body = form("inputs[0]image.source", JPEG, f"Content-Transfer-Encoding: {coding}")
    path = f"/recognition/versions/{version['id']}/inference"
    assert admin.post(path, data=body, content_type=MULTIPART).status_code == 202


def test_json_may_begin_with_a_byte_order_mark(admin: Caller, version: dict[str, Any]) -> None:
    response = admin.post(SPECS, data=codecs.BOM_UTF8 + SPEC.encode(), content_type="application/json")
    assert (response.status_code, response.get_json()["name"]) == (201, "é")
    inputs = codecs.BOM_UTF8 + b'[{"image": {"source": "https://example.com/a.jpg"}}]'
    path = f"/recognition/versions/{version['id']}/inference"
    assert admin.post(path, data=form("inputs", inputs), content_type=MULTIPART).status_code == 202
    architecture = codecs.BOM_UTF8 + b'{"builder": "resnet18"}'
    files = {"weights.pth": ZIP, "architecture.json": architecture}
    assert admin.upload(files).status_code == 201


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings_of_json_are_named(admin: Caller, encoding: str) -> None:
    response = admin.post(SPECS, data=SPEC.encode(encoding), content_type="application/json")
    assert response.status_code == 400
    sentence = f"The body is not valid JSON: it looks like {encoding[:6].upper()}; send UTF-8."
    assert response.get_json() == {"error": sentence}
