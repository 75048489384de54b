"""Names of files decide nothing, whatever bytes they have; names of fields do."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.api.callers import JPEG, PREPROCESSING, ZIP, Caller

NAME = b'name="inputs[0]image.source"'
NAMES = [
    b'"\xe9.jpg"',
    b'"\xc3\xa9.jpg"',
    b'"\xff\xfe\x00"',
    b'"=?iso-8859-1?q?=E9?="',
    b'"C:\\images\\x.jpg"',
    b'"C:\\images\\"',
    b'"a\\"b.jpg"',
    b'"a"b".jpg"',
    b'"a; name=\\"b\\".jpg"',
    b'"',
    b'"a',
    b'""',
    b"",
    b"a.jpg",
    b"\xe9.jpg",
    b'"\x85\xa0\x0b\x1c"',
    b'"' + b"x" * 10_000 + b'"',
]
EXTENDED = [b"UTF-8''%c3%a9.jpg", b"UTF-8''%e9.jpg", b"iso-8859-1'en'%e9.jpg", b"gbk''%d6%d0", b"UTF-8''\xe9", b"x"]


def sent(admin: Caller, version: dict[str, Any], disposition: bytes) -> Any:
    body = b"--B\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + JPEG + b"\r\n--B--\r\n"
    path = f"/recognition/versions/{version['id']}/inference"
    return admin.post(path, data=body, content_type="multipart/form-data; boundary=B")


@pytest.mark.parametrize("filename", NAMES)
def test_any_name_of_a_file_is_accepted(admin: Caller, version: dict[str, Any], filename: bytes) -> None:
    assert sent(admin, version, NAME + b"; filename=" + filename).status_code == 202


@pytest.mark.parametrize("filename", EXTENDED)
def test_any_extended_name_is_accepted(admin: Caller, version: dict[str, Any], filename: bytes) -> None:
    assert sent(admin, version, NAME + b"; filename*=" + filename).status_code == 202
    assert sent(admin, version, NAME + b'; filename="x"; filename*=' + filename).status_code == 202


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filename=st.binary().filter(lambda data: not set(data) & set(b'\r\n"\\')))
def test_any_bytes_are_a_name(admin: Caller, version: dict[str, Any], filename: bytes) -> None:
    for disposition in (NAME + b'; filename="%s"' % filename, b'filename="%s"; ' % filename + NAME):
        assert sent(admin, version, disposition).status_code == 202


def test_names_of_fields_must_be_text(admin: Caller, version: dict[str, Any]) -> None:
    for name in (b'name="inputs[0]image.\xe9"', b'name="metadata.\xe9"; filename="x"'):
        response = sent(admin, version, name)
        assert response.status_code == 400
        assert response.get_json()["error"].startswith("A field name of the form is not UTF-8.")


def test_file_of_a_network_is_known_by_the_name_of_its_part(admin: Caller) -> None:
    parts = [
        (b'name="name"', b"n"),
        (b'name="framework"', b"pytorch-2.x"),
        (b'name="preprocessing"', json.dumps(PREPROCESSING).encode()),
        (b'name="model.pt2"; filename="mod\xe8le.pt2"', ZIP),
    ]
    body = b"".join(b"--B\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % part for part in parts) + b"--B--\r\n"
    response = admin.post("/networks", data=body, content_type="multipart/form-data; boundary=B")
    assert response.status_code == 201


def test_file_under_another_name_is_told_its_own(admin: Caller) -> None:
    response = admin.upload({"file": ZIP})
    assert response.status_code == 400
    assert response.get_json()["error"].endswith("with curl: -F model.pt2=@model.pt2.")
