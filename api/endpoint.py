"""Declares an endpoint once: its address, the schemas of its body and its answer, and its page in the OpenAPI document.

flask-smorest writes the document and answers through the schema. Bodies are read by ``api/bodies``, because JSON is
only one of the forms that they come in.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError

from api.bodies.reader import FORM, JSON, MULTIPART, read_body
from api.error_documents import EVERYWHERE, OF_CHANGES, WITH_A_BODY
from api.errors import RequestError, as_invalid_request
from api.form_advice import advised
from api.pagination import DEFAULT_LIMIT, LARGEST_LIMIT, LARGEST_OFFSET

PREFIX = "/v0.7"

View = Callable[..., Any]
JsonObject = dict[str, Any]

PAGE_ARGUMENTS: list[JsonObject] = [
    {
        "in": "query",
        "name": "offset",
        "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST_OFFSET, "default": 0},
        "description": "How many elements to skip.",
    },
    {
        "in": "query",
        "name": "limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
        "description": "How many elements to return.",
    },
]
PREFER: JsonObject = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "example": "wait=10",
    "description": "`wait=N` (RFC 7240): answer when the task has ended, or after N seconds, at most 60; `wait` alone "
    "is 30 seconds.",
}
IDEMPOTENCY_KEY: JsonObject = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same request under the same key gives the same task, for 24 hours.",
}


def blueprint(name: str, description: str) -> Any:
    """Return a group of endpoints under the prefix of the API."""
    return Blueprint(name, __name__, url_prefix=PREFIX, description=description)


def request_body(schema: Schema, examples: JsonObject, multipart: JsonObject | None) -> JsonObject:
    """Return the OpenAPI request body of an endpoint that takes ``schema`` in every form that bodies may have."""
    content: JsonObject = {JSON: {"schema": schema}}
    if examples:
        content[JSON]["examples"] = examples
    content[FORM] = {
        "schema": {
            "type": "object",
            "description": "The same fields with flattened names, such as `inputs[0]image.source`, or as JSON text.",
        }
    }
    content[MULTIPART] = {"schema": multipart or content[FORM]["schema"]}
    return {"required": any(field.required for field in schema.fields.values()), "content": content}


def endpoint(
    group: Any,
    method: str,
    path: str,
    *,
    takes: type[Schema] | None = None,
    gives: type[Schema] | None = None,
    status: int = 200,
    also: tuple[int, ...] = (),
    errors: tuple[int, ...] = (),
    examples: JsonObject | None = None,
    answer: JsonObject | None = None,
    multipart: JsonObject | None = None,
    body: JsonObject | None = None,
    arguments: list[JsonObject] | None = None,
) -> Callable[[View], View]:
    """Register a view.

    With ``takes``, the validated body is its first argument. What it returns is shaped by ``gives``, unless it is
    a response already. ``also`` are other
    statuses of that answer, ``errors`` are those that this endpoint may answer with beside those that all have.
    ``examples`` are of the body and ``answer`` is one of what is given. ``multipart`` documents the body's multipart
    form, ``body`` all of a body that the view reads itself.
    """
    schema = takes() if takes is not None else None
    if schema is not None:
        body = request_body(schema, examples or {}, multipart)
    statuses = {*EVERYWHERE, *errors, *(WITH_A_BODY if body else ()), *(OF_CHANGES if method != "GET" else ())}

    def register(view: View) -> View:
        def called(**ids: Any) -> Any:
            return view(**ids) if schema is None else _answered(view, schema, ids)

        called.__name__, called.__doc__ = view.__name__, view.__doc__
        documented = group.doc(**_manual_doc(view, body, arguments))(called)
        for code in sorted(statuses):
            documented = group.alt_response(code, HTTPStatus(code).name)(documented)
        for code in also:
            documented = group.alt_response(code, schema=gives, example=answer)(documented)
        # Each of those decorators calls the next at every request, and only adds to the documentation.
        view_function = group.response(status, gives)(called)
        view_function._apidoc = group.response(status, gives, example=answer)(documented)._apidoc
        group.route(path, methods=[method])(view_function)
        return view

    return register


def _answered(view: View, schema: Schema, ids: JsonObject) -> Any:
    """Return what ``view`` makes of the body of this request."""
    try:
        return view(schema.load(read_body(request)), **ids)
    except ValidationError as error:
        raise advised(as_invalid_request(error), request, schema) from error
    except RequestError as error:
        raise advised(error, request, schema) from None


def _manual_doc(view: View, body: JsonObject | None, arguments: list[JsonObject] | None) -> JsonObject:
    doc: JsonObject = {"operationId": view.__name__}
    if body:
        doc["requestBody"] = body
    if arguments:
        doc["parameters"] = arguments
    return doc
