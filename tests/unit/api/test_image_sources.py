"""What the source of an image may be."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.bodies.parts import Part
from api.image_sources import ImageUrl, SentImage, read_source

DATA = bytes(range(256))


@pytest.mark.parametrize("kind", ["jpeg", "*", "svg+xml", "x-ms-bmp", "vnd.a.b"])
def test_base64_is_decoded_whatever_the_type(kind: str) -> None:
    text = f"data:image/{kind};base64,{base64.b64encode(DATA).decode()}"
    assert read_source(text) == SentImage(DATA)
    assert read_source(Part(text.encode())) == SentImage(DATA)


@pytest.mark.parametrize("break_", ["\n", "\r\n", " "])
def test_base64_may_be_broken_into_lines(break_: str) -> None:
    lines = base64.encodebytes(DATA).decode().replace("\n", break_)
    assert read_source(f"data:image/*;base64,{lines}") == SentImage(DATA)


@given(st.binary(min_size=1))
def test_binary_in_a_form_is_taken_byte_by_byte(data: bytes) -> None:
    assert read_source(Part(b"data:image/jpeg;binary," + data)) == SentImage(data)
    assert read_source(Part(data, filename="a.jpg")) == SentImage(data)
    assert read_source(Part(data, filename="")) == SentImage(data)
    assert read_source(Part(data, content_type="image/jpeg")) == SentImage(data)


@given(st.binary(min_size=1))
def test_binary_in_json_is_one_character_per_byte(data: bytes) -> None:
    assert read_source("data:image/jpeg;binary," + data.decode("latin-1")) == SentImage(data)


def test_image_bytes_without_a_filename_are_an_image() -> None:
    assert read_source(Part(b"\xff\xd8\xff\xe0")) == SentImage(b"\xff\xd8\xff\xe0")
    assert read_source(Part(b"GIF89a\x01\x00")) == SentImage(b"GIF89a\x01\x00")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.jpg",
        "https://example.com:8443/a%20b.jpg?x=1#y",
        "HTTPS://EXAMPLE.com",
        "http://[::1]/a",
        "https://exämple.com/ü.jpg",
    ],
)
def test_web_addresses_are_passed_on(url: str) -> None:
    assert read_source(url) == ImageUrl(url)
    assert read_source(Part(url.encode())) == ImageUrl(url)
    assert read_source(Part(url.encode(), content_type="application/json")) == ImageUrl(url)
    assert read_source(Part(f'"{url}"'.encode(), content_type="application/json")) == ImageUrl(url)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "cat.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.com/a.jpg",
        "http:",
        "http://",
        "https:///a.jpg",
        "http://a b.com/",
        "http://example.com/a\nb",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1/",
        "http://example.com/" + "a" * 9000,
        "data:image/jpeg;base64,",
        "data:image/jpeg;base64,====",
        "data:image/jpeg;base64,abc",
        "data:image/jpeg;base64,ab!d",
        "data:image/jpeg;binary,",
        "data:image/jpeg;binary,€",
        "data:image/jpeg;hex,ffd8",
        "data:text/plain;base64,YWJj",
        "data:image/jpeg,abc",
        "\ud800",
        5,
        None,
        ["http://example.com"],
        {"url": "http://example.com"},
        Part(b"", filename="empty.jpg"),
        Part(b""),
        Part(b"just text"),
    ],
)
def test_other_sources_are_refused(source: Any) -> None:
    with pytest.raises(ValidationError):
        read_source(source)


@given(st.text() | st.binary().map(Part))
def test_any_source_is_read_or_refused(source: Any) -> None:
    with suppress(ValidationError):
        assert isinstance(read_source(source), SentImage | ImageUrl)
