"""Tells what the ``source`` of an image is: bytes that were sent along, or a URL for a worker to fetch.

Nothing is fetched or decoded here; only what can be seen to be wrong without that is refused.
"""

import binascii
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from api.bodies.parts import Part

LONGEST_URL = 8192
DATA_HEAD = re.compile(rb"data:image/[\w.+*-]+;(base64|binary),", re.IGNORECASE)
WEB_HEAD = re.compile(rb"https?:", re.IGNORECASE)
UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f]")
WHITE_SPACE = b" \t\r\n"

WHAT_IT_MAY_BE = (
    'Must be an "http://" or "https://" URL, "data:image/*;base64,…", "data:image/*;binary,…", '
    "or a file part of a multipart body."
)


@dataclass(frozen=True)
class SentImage:
    """The bytes of an image that came with the request."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class ImageUrl:
    """Where a worker finds the image."""

    url: str


def read_source(value: Any) -> SentImage | ImageUrl:
    """Return what ``value``, a string of JSON or a part of a form, says of the image.

    Raises:
        ValidationError: if it is none of the forms that a source may have.
    """
    if isinstance(value, Part):
        return _read_part(value)
    if not isinstance(value, str):
        raise ValidationError(WHAT_IT_MAY_BE)
    try:
        return _read_text(value.encode(), one_character_per_byte=True)
    except UnicodeEncodeError as error:
        raise ValidationError(WHAT_IT_MAY_BE) from error


def _read_part(part: Part) -> SentImage | ImageUrl:
    if part.filename is not None or part.content_type.startswith(("image/", "application/octet-stream")):
        return _sent(part.data)
    if DATA_HEAD.match(part.data) or WEB_HEAD.match(part.data):
        return _read_text(part.data, one_character_per_byte=False)
    try:
        text = part.string()
    except ValueError:
        return _sent(part.data)
    if "\x00" in text:
        return _sent(part.data)
    return _read_text(text.encode(), one_character_per_byte=False)


def _read_text(text: bytes, *, one_character_per_byte: bool) -> SentImage | ImageUrl:
    head = DATA_HEAD.match(text)
    if head is None:
        if not WEB_HEAD.match(text):
            raise ValidationError(WHAT_IT_MAY_BE)
        return read_url(text)
    body = text[head.end() :]
    if head[1].lower() == b"base64":
        return _read_base64(body)
    return _sent(_bytes_of_characters(body) if one_character_per_byte else body)


def _read_base64(body: bytes) -> SentImage:
    try:
        return _sent(binascii.a2b_base64(body.translate(None, WHITE_SPACE), strict_mode=True))
    except binascii.Error as error:
        raise ValidationError("The data after base64, is not valid base64.") from error


def _bytes_of_characters(body: bytes) -> bytes:
    """Return one byte for each character: how any byte can be written in JSON."""
    try:
        return body.decode().encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValidationError(
            "Binary data in JSON must have one character from U+0000 to U+00FF per byte; base64 is simpler."
        ) from error


def _sent(data: bytes) -> SentImage:
    if not data:
        raise ValidationError("The image is empty.")
    return SentImage(data)


def read_url(text: bytes) -> ImageUrl:
    """Return an ``http://`` or ``https://`` URL.

    Raises:
        ValidationError: if it is none.
    """
    url = text.decode(errors="replace").strip()
    try:
        parts = urlsplit(url)
        valid = bool(WEB_HEAD.match(text) and parts.hostname) and parts.port != 0 and not UNSAFE_IN_URL.search(url)
    except ValueError:
        valid = False
    if not valid or len(url) > LONGEST_URL:
        raise ValidationError(f"This is not a valid URL of at most {LONGEST_URL} characters.")
    return ImageUrl(url)
