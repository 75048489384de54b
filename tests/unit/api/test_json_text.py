"""JSON from outside."""

import json
import math
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies.json_text import (
    MAX_BACKSLASHES,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_VALUES,
    JsonError,
    parse_json,
    parse_json_with_tail,
)

LONGEST_SECONDS = 20.0

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(JsonError):
        parse_json_with_tail(data)


def test_raw_line_breaks_inside_strings_are_kept() -> None:
    assert parse_json(b'{"a": "x\r\ny\tz"}') == {"a": "x\r\ny\tz"}


@pytest.mark.parametrize("element", [b"[]", b"{}", b"0", b'""', b'{"a":{}}'])
def test_more_values_than_are_of_use_are_refused_unread(element: bytes) -> None:
    with pytest.raises(JsonError, match=f"more than {MAX_VALUES} values"):
        parse_json(b"[" + b",".join([element] * (MAX_VALUES + 1)) + b"]")


@pytest.mark.parametrize("text", [',[{\\"' * MAX_VALUES, ",[{" * MAX_VALUES + "\\\\"])
def test_what_strings_hold_is_not_counted(text: str) -> None:
    data = b'{"a": "' + text.encode() + b'", "b": [1, 2]}'
    assert parse_json(data) == {"a": json.loads(f'"{text}"'), "b": [1, 2]}


@pytest.mark.parametrize("text", [b'"' + b',\\"' * MAX_VALUES, b'["' + b"," * MAX_VALUES + b"\\", b'"\n' * MAX_VALUES])
def test_strings_that_do_not_end_are_looked_through_once(text: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(JsonError):
        parse_json(text * 4)
    assert time.monotonic() - start < LONGEST_SECONDS


def test_tail_of_key_and_value_is_split_off() -> None:
    assert parse_json_with_tail(b'{"a": 1}&b=True&c=2\n') == ({"a": 1}, b"b=True&c=2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": "line\nbreak", "b": 1e999}',
        '{"a": "line\nbreak", "b": NaN}',
        '{"a": "\\ud800"}',
        '{"a": "line\nbreak \\ud800"}',
        '{"a": "nul \x00"}',
        '{"a": 1} {"b": 2}',
        '{"a": 1}x',
        "[" * 100_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        '["line\nbreak", ' + "9" * 5000 + "]",
        "[" + "[]," * MAX_VALUES + "[]]",
        "\ufeff{}",
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse_json(text.encode())


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(JsonError, match="not UTF-8 at byte 7"):
        parse_json(b'{"a": "\xff"}')


def test_position_of_a_mistake_is_told() -> None:
    with pytest.raises(JsonError, match="line 2, column 7"):
        parse_json(b'{"a": 1,\n "b": oops}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": "NaN",\n "b": [1, NaN]}', "NaN is not a JSON value at line 2, column 11"),
        ('{"a": "line\nbreak", "b": -Infinity}', "-Infinity is not a JSON value at line 2, column 14"),
        ('{"a": "1e999", "b": 1e999}', "1e999 is too large a number at line 1, column 21"),
        ('{"a": "nul \x00"}', "a control character at byte 11"),
        ('{"a": 1} {"b": 2}', "unexpected text after the value at line 1, column 9"),
        ('{"a": [{"b": "\\ud800"}]}', "a lone surrogate in a.0.b"),
        ('[{"\\udc00": 1}]', "a lone surrogate in a key of 0"),
        ('"\\ud800"', "a lone surrogate in the value"),
        ('{"a": 1, "a": 2}', 'the key "a" is given more than once in one object'),
        ('{"x": [{"b": "line\nbreak", "c": 1, "b": 2}]}', 'the key "b" is given more than once in one object'),
        ('{"a": "[[",\n"b": ' + "[" * 10_000 + "]" * 10_000 + "}", "nested deeper than 64 levels at line 2, column 69"),
        ('{"a":' * 70 + "1" + "}" * 70, "nested deeper than 64 levels at line 1, column 321"),
        ("[" + "1," * MAX_VALUES + "1]", f"more than {MAX_VALUES} values"),
        ('["x" ' * MAX_VALUES * 3, f"more than {MAX_VALUES} values"),
        ("9" * (MAX_DIGITS + 1), "a number has too many digits"),
    ],
)
def test_place_and_reason_are_told(text: str, message: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse_json(text.encode())
    assert str(caught.value) == message


def test_pairs_of_surrogates_and_the_same_key_in_different_objects_are_fine() -> None:
    assert parse_json(b'[{"a": "\\ud83d\\ude00"}, {"a": 1}]') == [{"a": "\U0001f600"}, {"a": 1}]


@pytest.mark.parametrize(
    "text",
    ["[" * 10**7, '{"":' * 10**6, "[" + "[]," * 10**7 + "[]]", '["' + '\\"' * 10**7, "9" * 10**7, "[" + "9" * 10**4],
    ids=["arrays", "objects", "values", "quotes", "digits", "long integers"],
)
def test_hostile_texts_cost_little_time(text: str) -> None:
    data = text.encode()
    started = time.process_time()
    with pytest.raises(JsonError):
        parse_json(data)
    assert time.process_time() - started < 5


def test_deepest_nesting_that_is_allowed_is_read() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_numbers_are_finite() -> None:
    assert math.isclose(parse_json(b"[1e308]")[0], 1e308)


def test_more_escapes_than_an_image_needs_are_refused() -> None:
    assert len(parse_json(b'"' + b"\\n" * 1000 + b'"')) == 1000
    with pytest.raises(JsonError, match="backslashes; write images as base64"):
        parse_json(b'"' + b"\\n" * (MAX_BACKSLASHES + 1) + b'"')
