"""Turns every failure into one JSON payload; the only module that knows HTTP statuses of errors.

What a client got wrong is told in one sentence; what went wrong here is logged and answered neutrally.
"""

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from flask import Flask, Response, request
from marshmallow import ValidationError
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge, RequestTimeout

from store.availability.outages import note
from store.errors import (
    Conflict,
    InvalidReference,
    InvalidValue,
    NotFound,
    QueueFull,
    RateExceeded,
    StorageFull,
    StoreError,
    TooLarge,
    TryLater,
    Unavailable,
)

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
WHOLE_BODY = "body"
# What was sent may be quoted: an answer must not become as large as a hostile request.
MOST_PATHS = 100
LONGEST_PATH = 200
LONGEST_MESSAGE = 1000
SENTENCES = {
    400: "The request could not be read.",
    404: "There is nothing at this address.",
    405: "This address does not allow the method {method}.",
    408: "The request took too long to arrive.",
    413: "The body is larger than the {limit} bytes that are allowed here.",
}

Errors = Mapping[str, list[str]]


class RequestError(Exception):
    """A request that cannot be served, for a reason that its sender may know and mend."""

    status: ClassVar[int]
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str, errors: Errors | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors


class InvalidRequest(RequestError):
    """The body or an argument is not valid."""

    status = 400


class NotAuthenticated(RequestError):
    """The key is missing, unknown, or contradicted."""

    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "ApiKey"}


class NotAllowed(RequestError):
    """The role of the key does not allow this."""

    status = 403


class UnsupportedBody(RequestError):
    """The body is of a type that is not read here."""

    status = 415


class UnsupportedEncoding(UnsupportedBody):
    """The body is compressed."""

    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "identity"}  # as RFC 9110 wants, section 12.5.3


STATUS_OF_STORE_ERROR: Mapping[type[StoreError], int] = {
    InvalidValue: 400,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    QueueFull: 429,
    RateExceeded: 429,
    Unavailable: 503,
    StorageFull: 507,
}


def invalid_fields(errors: Errors) -> InvalidRequest:
    """Return the error for these messages by path; its sentence tells the first and counts the others."""
    path, messages = next(iter(errors.items()))
    count = sum(map(len, errors.values())) - 1
    others = f" ({count} more)" if count else ""
    message = _cut(messages[0], LONGEST_MESSAGE - LONGEST_PATH - 50)
    return InvalidRequest(f"{_cut(path, LONGEST_PATH)}: {message}{others}", errors)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def request_line() -> str:
    """Return what this request asks, as one line of bounded length for the log, whatever its path holds."""
    return f"{request.method} {_cut(quote(request.path), LONGEST_PATH)}"


def flatten(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield (dotted path, messages) for the nested messages of a marshmallow error."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            here = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            yield from flatten(inner, here)
    elif isinstance(messages, list) and all(isinstance(message, str) for message in messages):
        yield path or WHOLE_BODY, messages
    elif isinstance(messages, list):
        for message in messages:
            yield from flatten(message, path)
    else:
        yield path or WHOLE_BODY, [str(messages)]


def as_invalid_request(error: ValidationError) -> InvalidRequest:
    """Return the error for what a schema found, with the paths of the elements."""
    errors: dict[str, list[str]] = {}
    for path, messages in flatten(error.messages):
        errors.setdefault(path, []).extend(messages)
    return invalid_fields(errors)


def error_response(status: int, message: str, errors: Errors | None = None) -> Response:
    """Return the payload that every error has."""
    payload: dict[str, Any] = {"error": _cut(message, LONGEST_MESSAGE)}
    if errors:
        payload["errors"] = {
            _cut(path, LONGEST_PATH): [_cut(each, LONGEST_MESSAGE) for each in messages]
            for path, messages in islice(errors.items(), MOST_PATHS)
        }
    return Response(orjson.dumps(payload), status=status, mimetype="application/json")


def _answer_request_error(error: RequestError) -> Response:
    response = error_response(error.status, error.message, error.errors)
    response.headers.update(dict(error.headers))
    return response


def _answer_store_error(error: StoreError) -> Response:
    if isinstance(error, InvalidReference):
        return _answer_request_error(invalid_fields({error.field: [str(error)]}))
    status = next((STATUS_OF_STORE_ERROR[kind] for kind in type(error).mro() if kind in STATUS_OF_STORE_ERROR), None)
    if status is None:
        return _answer_unexpected(error)
    if isinstance(error, Unavailable):
        note(error)  # not a line for each request
    elif status >= 500:
        log.error("%s: %s", request_line(), error)
    response = error_response(status, str(error))
    if status in (429, 503):
        seconds = error.retry_after_seconds if isinstance(error, TryLater) else RETRY_AFTER_SECONDS
        response.headers["Retry-After"] = str(seconds)
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    standard = error.get_response()
    if status < 400:
        return Response(standard.get_data(), status, standard.headers)
    sentence = SENTENCES.get(status, f"{error.name}.")
    limit = request.max_content_length if isinstance(error, RequestEntityTooLarge) else None
    response = error_response(status, sentence.format(method=request.method, limit=limit))
    for name in ("Allow", "Retry-After"):
        if name in standard.headers:
            response.headers[name] = standard.headers[name]
    return response


def _answer_unexpected(error: Exception) -> Response:
    log.error("%s failed", request_line(), exc_info=error)
    return error_response(500, "The server failed to answer this request; its log says why.")


def answer_error(error: Exception) -> Response:
    """Return the answer for any failure. Registered for every exception of the application."""
    match error:
        case RequestError():
            return _answer_request_error(error)
        case ValidationError():
            return _answer_request_error(as_invalid_request(error))
        case StoreError():
            return _answer_store_error(error)
        case ClientDisconnected() if isinstance(error.__context__, TimeoutError):
            return _answer_http_exception(RequestTimeout())
        case HTTPException():
            return _answer_http_exception(error)
    return _answer_unexpected(error)


def register_error_handler(app: Flask) -> None:
    """Make ``answer_error`` the only error handler of ``app``, also in place of the one of flask-smorest."""
    for kind in (Exception, HTTPException):
        app.register_error_handler(kind, answer_error)
