"""Heads of parts say what werkzeug's reader finds in them, and long ones cost little."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import BLANK_LINE_RE

from api.bodies.part_heads import MAX_LINES, head_end, read_head

LONGEST_SECONDS = 5.0
PIECES = ["name=", "filename=", "a=", "x", '"', "\\", ";", " ", "\t", "=", "é", "%22", "'", "*", '"b c"', "form-data"]


def disposition(value: str) -> bytes:
    return f"Content-Disposition: {value}".encode()


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_names_are_those_that_werkzeug_finds(text: str) -> None:
    head = read_head(disposition(f"form-data; {text}"))
    _, expected = parse_options_header(f"form-data; {text}".strip(" \t"))
    assert head.name == expected.get("name")
    if not any("*" in name for name in text.split("=")):
        assert head.filename == expected.get("filename")


@pytest.mark.parametrize(
    ("head", "name", "filename", "content_type"),
    [
        (b'content-disposition:form-data; NAME="a"', "a", None, ""),
        (
            b'Content-Disposition: form-data;\r\n name="a";\r\n\tfilename=b\r\nContent-Type: Image/PNG; q=1',
            "a",
            "b",
            "image/png",
        ),
        (
            b"X: y\nContent-Type:\tapplication/json\nContent-Disposition: form-data; name=a",
            "a",
            None,
            "application/json",
        ),
        (b"Content-Disposition: form-data; name=a; filename*=UTF-8''%c3%a9", "a", "UTF-8''%c3%a9", ""),
        (b'Content-Disposition: form-data; name="\xff"', "\ufffd", None, ""),
        (b"Content-Disposition: form-data", None, None, ""),
        (b'Content-Disposition: form-data; filename="a; name=b"', None, "a; name=b", ""),
    ],
)
def test_head_is_read(head: bytes, name: str | None, filename: str | None, content_type: str) -> None:
    found = read_head(head)
    assert (found.name, found.filename, found.content_type) == (name, filename, content_type)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x"]), max_size=8).map(b"".join), st.integers(0, 3))
def test_head_ends_where_werkzeug_finds_its_end(data: bytes, start: int) -> None:
    found = BLANK_LINE_RE.search(data, start)
    expected = None if found is None else (found.start(), (found.start() + found.end()) // 2)
    assert head_end(bytearray(data), start) == expected


def test_head_without_a_disposition_or_with_many_lines_is_none() -> None:
    with pytest.raises(ValueError, match="Too many"):
        read_head(disposition("form-data; name=a") + b"\r\nX: y" * MAX_LINES)
    with pytest.raises(ValueError, match="Content-Disposition"):
        read_head(b"Content-Type: image/png\r\nX-Content-Disposition: form-data; name=a")


@pytest.mark.parametrize(
    "value",
    ['name="a"; filename="' + each * 60_000 + '"' for each in ("x", "%22", '\\"', "\\", "é")]
    + ["name=a" + each * 20_000 for each in ("; x=", "; a*0=b", ";", '; x="', "; x=y")],
)
def test_long_heads_cost_little(value: str) -> None:
    data = disposition(f"form-data; {value}") + b"\r\nX: y" * 90
    started = time.process_time()
    for _ in range(20):
        read_head(data)
    assert time.process_time() - started < LONGEST_SECONDS
