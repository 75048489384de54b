"""Reads JSON from outside: strictly, but for the two slips that the published curl samples make.

Those are raw line breaks inside strings (base64 from a shell) and ``&key=value`` tails (several ``-d`` of curl).
"""

import json
import math
import re
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 64
MAX_VALUES = 300_000  # the 21,841 labels of ImageNet take 65,000
FORBIDDEN_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # also one that does not end: looked through once


class JsonError(ValueError):
    """The text is not JSON; the message says where and why."""


def parse_json(data: bytes) -> Any:
    """Return the JSON value that ``data`` holds, all of it.

    Raises:
        JsonError: if it is not JSON, holds NaN, infinities or lone surrogates, or is nested too deep.
    """
    value, tail = parse_json_with_tail(data)
    if tail:
        raise JsonError("unexpected text after the value")
    return value


def parse_json_with_tail(data: bytes) -> tuple[Any, bytes]:
    """Return the JSON value at the start of ``data`` and what follows its ``&``, if one follows.

    Raises:
        JsonError: as ``parse_json``.
    """
    _check_size(data)
    try:
        value, tail = orjson.loads(data), b""
    except orjson.JSONDecodeError:
        value, tail = _parse_leniently(data)
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return value, tail


def _check_size(data: bytes) -> None:
    """Refuse text of more values than are of use: in memory they take dozens of times as much as here."""
    if _punctuation(data) > MAX_VALUES and _punctuation(STRINGS.sub(b"", data)) > MAX_VALUES:
        raise JsonError(f"more than {MAX_VALUES} values")


def _punctuation(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError(f"the number {text[:20]} is too large")
    return number


DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse_constant, parse_float=_finite)


def _parse_leniently(data: bytes) -> tuple[Any, bytes]:
    control = FORBIDDEN_CONTROLS.search(data)
    if control:
        raise JsonError(f"a control character at byte {control.start()}")
    try:
        text = data.decode().lstrip(" \t\r\n")
        value, end = DECODER.raw_decode(text)
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise JsonError("nested too deep") from error
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError("a number has too many digits") from error
    tail = text[end:].strip(" \t\r\n")
    if tail and not tail.startswith("&"):
        line = text.count("\n", 0, end) + 1
        raise JsonError(f"unexpected text after the value at line {line}, character {end + 1}")
    _check_strings(value)
    return value, tail[1:].encode()


def _check_strings(value: Any) -> None:
    """Refuse what UTF-8 cannot say: lone surrogates, which only the lenient reader lets through."""
    try:
        orjson.dumps(value)
    except (TypeError, RecursionError) as error:
        raise JsonError("a string or number cannot be represented") from error


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise JsonError(f"nested deeper than {MAX_DEPTH} levels")
