"""Data URLs of every form that RFC 2397 and the contract know; others are refused by the part that is wrong."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.bodies.parts import Part
from api.image_sources import SentImage, read_source

DATA = bytes(range(256)) * 4
BASE64 = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "head",
    [
        "data:image/jpeg;base64,",
        "DATA:IMAGE/JPEG;BASE64,",
        "data:image/*;base64,",
        "data:image/jpeg;charset=utf-8;base64,",
        "data:image/jpeg;name=x.jpg;charset=;base64,",
        "data:image/jpeg;name=fö%20ö.jpg;base64,",
        'data:image/png;name="a,b;c\\".png";base64,',
        "data:image/jpeg; charset=utf-8 ; base64 ,",
        "data:;base64,",
        "data:;charset=us-ascii;base64,",
        "data:application/octet-stream;base64,",
        "data:binary/octet-stream;name=x;base64,",
    ],
)
def test_types_and_parameters_decide_nothing(head: str) -> None:
    assert read_source(head + BASE64) == SentImage(DATA)
    assert read_source(Part((head + BASE64).encode())) == SentImage(DATA)
    binary = head.lower().replace("base64", "binary")
    assert read_source(binary + DATA.decode("latin-1")) == SentImage(DATA)
    assert read_source(Part(binary.encode() + DATA)) == SentImage(DATA)


@given(st.binary(min_size=1))
def test_base64_may_be_url_safe_or_percent_encoded(data: bytes) -> None:
    for text in (base64.urlsafe_b64encode(data).decode(), quote(base64.b64encode(data), safe="")):
        assert read_source(f"data:image/png;base64,{text}") == SentImage(data)


@given(st.binary(min_size=1).map(lambda data: b"\xff" + data))
def test_data_may_be_percent_encoded(data: bytes) -> None:
    assert read_source(f"data:image/png,{quote(data)}") == SentImage(data)
    assert read_source(f"data:,{quote(data)}") == SentImage(data)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("data:", "The data URL has no comma before its data."),
        ("data:image/jpeg;base64", "The data URL has no comma before its data."),
        (f"data:image/jpeg;x={'y' * 100_000},", "The data URL has no comma before its data."),
        ("data:text/plain;base64,AAAA", "The type 'text/plain' of the data URL is not one of images; use image/*."),
        ("data:image;base64,AAAA", "The type 'image' of the data URL is not one of images; use image/*."),
        ("data:base64,AAAA", "The type 'base64' of the data URL is not one of images; use image/*."),
        ("data:image/png;hex,ff", "'hex' in the data URL is neither base64, binary nor name=value."),
        ("data:image/png;;base64,AAAA", "'' in the data URL is neither base64, binary nor name=value."),
        ("data:image/png;base64;a=b,AAAA", "'base64' must stand directly before the comma of the data URL."),
        (
            f"data:image/jpeg,{BASE64}",
            "The data URL needs ;base64 or ;binary before its comma, or percent-encoded data after it.",
        ),
        ("data:image/png;base64,AA!A", "The data after base64, is not valid base64: '!' at character 3."),
        ("data:image/png;base64,AA+-", "The data after base64, is not valid base64: '-' at character 4."),
        ("data:image/png;base64,AAA%2", "The data after base64, is not valid base64: '%' at character 4."),
        ("data:image/png;base64,AAA", "The data after base64, is not valid base64: incorrect padding."),
        ("data:image/png;base64,AA==AA==", "The data after base64, is not valid base64: "),
        ("data:image/png;base64,", "The image is empty."),
    ],
)
def test_what_is_wrong_is_named(url: str, sentence: str) -> None:
    for source in (url, Part(url.encode())):
        with pytest.raises(ValidationError) as caught:
            read_source(source)
        [message] = caught.value.messages
        assert message.startswith(sentence)


def test_pluses_that_a_form_has_lost_are_named() -> None:
    """They would read as line breaks, and the image would have other bytes."""
    lost = Part(b"data:image/png;base64,AAA A AA AAA ", is_url_encoded=True)
    with pytest.raises(ValidationError, match=r"write each \+ of it as %2B"):
        read_source(lost)
    assert read_source(Part(b"data:image/png;base64,AA+A\r\nAA+A", is_url_encoded=True)) == SentImage(
        base64.b64decode("AA+AAA+A")
    )
