"""Says what is wrong with a request that gunicorn's parser refuses: as a status with one sentence of bounded length.

gunicorn's own messages repeat what was sent, however long, in terms of its parser.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors

from api.http1.body_readers import BodyCutOff

RETRY_AFTER_SECONDS = 2
MAX_QUOTED = 60  # characters of what was sent
HEADER_NAME = re.compile(r"[\w-]*", re.ASCII)
SENTENCES = {
    "bare LF as line terminator": "Every line of the head must end with CRLF.",
    "HOST": "Send the header Host once.",
    "CONTENT-TYPE": "Send the header Content-Type once.",
    "CONTENT-LENGTH": "Content-Length must be one number of bytes, and not stand beside Transfer-Encoding.",
    "TRANSFER-ENCODING": "Transfer-Encoding must be chunked, once, in HTTP/1.1.",
}


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that cannot be read."""

    status: HTTPStatus
    sentence: str
    retry_after_seconds: int | None = None


class Crowded(Exception):
    """A client has as many connections or requests as it may; the message is one sentence that says so."""


def _quoted(sent: object) -> str:
    """Return the start of what was sent, with anything that is not printable ASCII escaped."""
    text = sent.decode("latin-1") if isinstance(sent, bytes) else str(sent)
    return ascii(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}...")


def _header(error: Any) -> str:
    """Name a header, without what may be its value: that can be a key."""
    name = HEADER_NAME.match(str(error.hdr))
    return SENTENCES.get(str(error.hdr), f"The header {_quoted(name[0] if name else '')} is malformed.")


def _line(error: Any) -> str:
    return SENTENCES.get(str(error.req), f"The request line is malformed: {_quoted(error.req)}.")


Sentence = Callable[[Any], str]

BAD, TOO_LONG = HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
HEADS: dict[type[Exception], tuple[HTTPStatus, Sentence]] = {
    errors.InvalidRequestLine: (BAD, _line),
    errors.InvalidRequestMethod: (BAD, lambda error: f"The method {_quoted(error.method)} is malformed."),
    errors.InvalidHTTPVersion: (BAD, lambda _: "The request is neither HTTP/1.1 nor HTTP/1.0."),
    errors.InvalidHeader: (BAD, _header),
    errors.InvalidHeaderName: (BAD, _header),
    errors.ObsoleteFolding: (BAD, lambda error: f"The header {_quoted(error.hdr)} must be on one line."),
    errors.LimitRequestLine: (
        HTTPStatus.REQUEST_URI_TOO_LONG,
        lambda error: f"The request line is longer than {error.max_size} bytes.",
    ),
    errors.LimitRequestHeaders: (TOO_LONG, lambda _: "A header is too long, or there are too many headers."),
    errors.ExpectationFailed: (
        HTTPStatus.EXPECTATION_FAILED,
        lambda error: f"The expectation {_quoted(error.expect)} cannot be met; only 100-continue can.",
    ),
    errors.UnsupportedTransferCoding: (
        HTTPStatus.NOT_IMPLEMENTED,
        lambda error: f"The Transfer-Encoding {_quoted(error.hdr)} is not read; send chunked, or a Content-Length.",
    ),
}

ENDS_EARLY = "The chunked body ends before its last chunk and the empty line after it."
BODIES: dict[type[Exception], Sentence] = {
    BodyCutOff: lambda error: f"The body ends {error.missing_bytes} bytes before its Content-Length.",
    errors.NoMoreData: lambda _: ENDS_EARLY,
    errors.InvalidChunkSize: lambda error: f"A chunk size of the body is malformed: {_quoted(error.data)}.",
    errors.ChunkMissingTerminator: lambda error: (
        "A chunk of the body does not end where its size says." if error.term else ENDS_EARLY
    ),
    errors.InvalidChunkExtension: lambda _: "A chunk extension of the body is malformed.",
    errors.LimitRequestHeaders: lambda _: "The trailers of the chunked body are too long.",
    errors.ParseException: lambda _: "The trailers of the chunked body are malformed.",  # they are read as headers are
}
BROKEN_BODY = tuple(BODIES)


def refusal_of(error: BaseException) -> Refusal | None:
    """Return the answer to a request whose head cannot be read, or None if the error is not of that kind."""
    if isinstance(error, Crowded):
        return Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), RETRY_AFTER_SECONDS)
    for kind, (status, sentence) in HEADS.items():
        if isinstance(error, kind):
            return Refusal(status, sentence(error))
    return Refusal(BAD, "The request could not be read.") if isinstance(error, errors.ParseException) else None


def what_is_broken(error: Exception) -> str:
    """Return what is wrong with a body whose reading raised one of ``BROKEN_BODY``."""
    return next(sentence(error) for kind, sentence in BODIES.items() if isinstance(error, kind))
