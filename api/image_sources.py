"""Tells what the ``source`` of an image is: bytes that were sent along, or a URL for a worker to fetch.

Nothing is fetched or decoded here; only what can be seen to be wrong without that is refused.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from api.bodies.parts import Part
from api.data_urls import is_data_url, read_data_url

LONGEST_URL = 8192
WEB_HEAD = re.compile(rb"https?:", re.IGNORECASE)
UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f]")

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
    if is_data_url(part.data):
        data = read_data_url(part.data, one_character_per_byte=False, lost_pluses=part.is_url_encoded)
        return _sent(data)
    if WEB_HEAD.match(part.data):
        return read_url(part.data)
    try:
        text = part.string()
    except ValueError:
        return _sent(part.data)
    if "\x00" in text:
        return _sent(part.data)
    return _read_text(text.encode(), one_character_per_byte=False)


def _read_text(text: bytes, *, one_character_per_byte: bool) -> SentImage | ImageUrl:
    if is_data_url(text):
        return _sent(read_data_url(text, one_character_per_byte=one_character_per_byte))
    if not WEB_HEAD.match(text):
        raise ValidationError(WHAT_IT_MAY_BE)
    return read_url(text)


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
