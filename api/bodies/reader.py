"""Reads the body of a request, of any type that the contract allows, into one nested object.

Values are what JSON gave, or ``Part`` objects where a form gave text or a file; the schemas take both.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from api.bodies.encodings import require_plain_body
from api.bodies.json_text import JsonError, parse_json_with_tail, without_mark
from api.bodies.multipart import NOT_UTF_8, incoming_parts
from api.bodies.nesting import nest
from api.bodies.parts import Part
from api.bodies.percent import unquote
from api.connections.turns import take_turn_over
from api.errors import WHOLE_BODY, InvalidRequest, UnsupportedBody, invalid_fields

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FORM_FIELDS = 20_000
PART_HEAD, MAX_BOUNDARY_LINE = b"\r\ncontent-disposition:", 200  # how a multipart body begins


def read_body(request: Request) -> dict[str, Any]:
    """Return the body as an object.

    Raises:
        UnsupportedBody: if its type is not one of the three, or it is compressed.
        InvalidRequest: if it is not what its type says, or not an object.
        RequestEntityTooLarge: if it is longer than ``request.max_content_length``.
    """
    if request.mimetype == JSON:
        return _read_json(_whole(request))
    if request.mimetype == MULTIPART:
        parts = incoming_parts(request)
        return nest((part.name, Part(part.whole(), part.filename, part.content_type)) for part in parts)
    if request.mimetype == FORM:
        return nest(_decoded(_urlencoded(_whole(request))))
    if not request.mimetype and not _has_body(request):
        return {}
    raise UnsupportedBody(f"Send the body as {JSON}, {MULTIPART} or {FORM}.")


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _whole(request: Request) -> bytes:
    """Return the body; werkzeug cuts one of unknown length at the limit without a word."""
    require_plain_body(request)
    data = request.get_data(cache=False)
    limit = request.max_content_length
    if request.content_length is None and limit is not None and len(data) >= limit:
        raise RequestEntityTooLarge
    take_turn_over(len(data))  # the bodies of many clients may be whole at once
    if data.startswith(b"--") and PART_HEAD in data[:MAX_BOUNDARY_LINE].lower():
        raise InvalidRequest(
            f"The body is {MULTIPART}, but its Content-Type is {request.mimetype}. Leave that to the HTTP client."
        )
    return data


def _read_json(data: bytes) -> dict[str, Any]:
    if not data.strip():
        raise InvalidRequest("The body is empty; it should be a JSON object.")
    try:
        value, tail = parse_json_with_tail(without_mark(data))
    except JsonError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body should be a JSON object.")
    take_turn_over(len(data))
    for name, extra in nest(_decoded(_urlencoded(tail))).items():
        if name in value:
            raise invalid_fields({name: ["It is given more than once."]})
        value[name] = extra
    return value


def _urlencoded(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values of a form, with any bytes in the values."""
    pairs = data.strip(b"\r\n").split(b"&", MAX_FORM_FIELDS)
    if len(pairs) > MAX_FORM_FIELDS:
        raise InvalidRequest(f"A form may have at most {MAX_FORM_FIELDS} fields.")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        if name:
            yield unquote(name.replace(b"+", b" ")), unquote(value.replace(b"+", b" "))


def _decoded(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, Part]]:
    for name, value in fields:
        if without_mark(name).lstrip()[:1] == b"{":
            raise InvalidRequest(f"The body looks like JSON; send it with the Content-Type {JSON}.")
        try:
            yield name.decode(), Part(value, is_url_encoded=True)
        except UnicodeDecodeError as error:
            raise InvalidRequest(NOT_UTF_8, {WHOLE_BODY: [NOT_UTF_8]}) from error
