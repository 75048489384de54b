"""Reads JSON from outside: strictly, but for the two slips that the published curl samples make.

Those are raw line breaks inside strings (base64 from a shell) and ``&key=value`` tails (several ``-d`` of curl). The
standard library's decoder is used because it can tell that an object has a key twice.
"""

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from api.connections.turns import take_turn_over

MAX_DEPTH = 64
MAX_VALUES = 300_000  # the 21,841 labels of ImageNet take 65,000; a shorter text cannot have more
FORBIDDEN_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
MAX_QUOTES = 4 * (MAX_VALUES + 1)  # each value may have a key, and both be strings
MAX_BACKSLASHES = 8_000_000  # an image whose bytes are written as \u00ff has so many at the largest size of a body
MAX_DIGITS = 400  # of an integer: a number of JavaScript has up to 309, and to read thousands takes long
STRING = re.compile(r'"[^"]*"?')  # where no quote is escaped; also one that does not end
BRACKET = re.compile(r"[][{}]")
WHITE_SPACE = " \t\r\n"


class JsonError(ValueError):
    """The text is not JSON; the message says where and why."""


class _Unsayable(Exception):
    """A word that is a number of JavaScript or Python, and none of JSON."""

    def __init__(self, word: str, why: str) -> None:
        super().__init__(word)
        self.word, self.why = word, why


def without_mark(data: bytes) -> bytes:
    """Return ``data`` without the byte order mark that editors on Windows put before the text of a file."""
    return data.removeprefix(codecs.BOM_UTF8)


def parse_json(data: bytes) -> Any:
    """Return the JSON value that ``data`` holds, all of it.

    Raises:
        JsonError: if it is not JSON, has a key twice, holds NaN, infinities or lone surrogates, or is nested too deep
            or too large.
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
    text = _decoded(data)
    backslashes = text.count("\\")
    if backslashes > MAX_BACKSLASHES:
        raise JsonError(f"more than {MAX_BACKSLASHES} backslashes; write images as base64, or send them as files")
    if len(text) > MAX_VALUES:
        _check_count(_without_escapes(text) if backslashes else text)
    take_turn_over(len(text))
    value, end = _parse(text, data)
    take_turn_over(len(text))
    if _is_deep(value):
        _refuse_depth(text)
    if backslashes and ("\\ud" in text or "\\uD" in text):
        _check_surrogates(value)
    tail = text[end:].strip(WHITE_SPACE)
    if tail and not tail.startswith("&"):
        raise JsonError(f"unexpected text after the value{_place(text, end)}")
    return value, tail[1:].encode()


def _decoded(data: bytes) -> str:
    """Return JSON text as RFC 8259 wants it, in UTF-8; other encodings are recognised, so as to be named."""
    encoding = json.detect_encoding(data)
    if encoding.startswith(("utf-16", "utf-32")):
        raise JsonError(f"it looks like {encoding[:6].upper()}; send UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise JsonError(f"the key {json.dumps(twice)} is given more than once in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _Unsayable(name, "is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Unsayable(text, "is too large a number")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(text)
    return int(text)


HOOKS: dict[str, Any] = {
    "object_pairs_hook": _object,
    "parse_constant": _refuse_constant,
    "parse_float": _finite,
    "parse_int": _integer,
}
STRICT = json.JSONDecoder(**HOOKS)
LENIENT = json.JSONDecoder(strict=False, **HOOKS)


def _parse(text: str, data: bytes) -> tuple[Any, int]:
    """Return the value at the start of ``text``, and where it ends."""
    start = len(text) - len(text.lstrip(WHITE_SPACE))
    try:
        try:
            return STRICT.raw_decode(text, start)
        except json.JSONDecodeError:
            control = FORBIDDEN_CONTROLS.search(data)
            if control:
                raise JsonError(f"a control character at byte {control.start()}") from None
            return LENIENT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError:
        _refuse_depth(text)
    except _Unsayable as error:
        place = _place(text, _without_strings(text).find(error.word))
        raise JsonError(f"{error.word[:20]} {error.why}{place}") from error
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError("a number has too many digits") from error


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f" at line {line}, column {position - text.rfind(chr(10), 0, position)}"


def _without_escapes(text: str) -> str:
    """Return ``text`` with others in place of escaped quotes and backslashes, so that each quote begins or ends."""
    return text.replace("\\\\", "xx").replace('\\"', "xx")


def _without_strings(text: str) -> str:
    """Return ``text`` with blanks in place of all that stands between quotes."""
    return STRING.sub(lambda string: " " * len(string[0]), _without_escapes(text))


def _check_count(text: str) -> None:
    """Refuse text of more values than are of use: in memory they take dozens of times as much as here.

    In ``text`` no quotes are escaped, so that every other piece between them is a string.
    """
    outside, *others = text.split('"', MAX_QUOTES)
    if len(others) == MAX_QUOTES or _separators_in(outside + "".join(others[1::2])) > MAX_VALUES:
        raise JsonError(f"more than {MAX_VALUES} values")


def _separators_in(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _refuse_depth(text: str) -> NoReturn:
    depth, deepest = 0, len(text)
    for bracket in BRACKET.finditer(_without_strings(text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            deepest = bracket.start()
            break
    raise JsonError(f"nested deeper than {MAX_DEPTH} levels{_place(text, deepest)}")


def _check_surrogates(value: Any) -> None:
    """Refuse what UTF-8 cannot say: half of a pair of surrogates."""
    for path, text in _strings(value, ""):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise JsonError(f"a lone surrogate in {path or 'the value'}") from error


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every string in ``value``, keys too, with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"a key of {path}" if path else "a key", key
            yield from _strings(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{path}.{index}" if path else str(index))
