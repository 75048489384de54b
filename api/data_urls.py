"""Reads ``data:`` URLs (RFC 2397), and ``;binary,`` with bytes as they are, which the contract adds.

What cannot be read is refused by the part that is wrong. Parameters, such as the name of a file, decide nothing.
"""

import binascii
import re
from contextlib import suppress

from marshmallow import ValidationError

from api.bodies.percent import unquote
from api.connections.turns import take_turn_over

SCHEME = re.compile(rb"data:", re.IGNORECASE)
# The type, and what follows each semicolon before the comma; quoted values may hold both characters.
HEAD = re.compile(rb'data:([^;,"]*)((?:;(?:[^;,"]|"(?:[^"\\]|\\.)*+")*+)*+),', re.IGNORECASE | re.DOTALL)
WORD = re.compile(rb';((?:[^;,"]|"(?:[^"\\]|\\.)*+")*+)', re.DOTALL)
MAX_HEAD_BYTES = 4096

IMAGE_TYPE = re.compile(rb"image/[\w.+*-]+|(?:application|binary)/octet-stream|", re.IGNORECASE)
PARAMETER = re.compile(rb"[^\s=]+\s*=.*", re.DOTALL)
ENCODINGS = (b"base64", b"binary")

WHITE_SPACE = b" \t\r\n"
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")
URL_SAFE = bytes.maketrans(b"-_", b"+/")


def is_data_url(text: bytes) -> bool:
    """Tell whether ``text`` begins as a data URL does."""
    return SCHEME.match(text) is not None


def read_data_url(url: bytes, *, one_character_per_byte: bool, lost_pluses: bool = False) -> bytes:
    """Return the bytes that ``url`` holds.

    Binary data is UTF-8 text of ``one_character_per_byte``, or else bytes as they are. With ``lost_pluses``, each + may
    have become a space on its way.

    Raises:
        ValidationError: if it is no data URL of an image; the message says which part is wrong.
    """
    head = HEAD.match(url[:MAX_HEAD_BYTES])
    if head is None:
        raise ValidationError("The data URL has no comma before its data.")
    kind = head[1].strip()
    if not IMAGE_TYPE.fullmatch(kind):
        raise ValidationError(f"The type {_quoted(kind)} of the data URL is not one of images; use image/*.")
    encoding, data = _encoding(head[2]), url[head.end() :]
    if encoding == b"base64":
        return _decoded_base64(data, lost_pluses=lost_pluses)
    if encoding == b"binary":
        return _bytes_of_characters(data) if one_character_per_byte else data
    return _unquoted(data)


def _encoding(words: bytes) -> bytes:
    """Return the encoding that follows the type and its parameters, none if the data is percent-encoded."""
    found = [word.strip() for word in WORD.findall(words)]
    encoding = found.pop().lower() if found and found[-1].lower() in ENCODINGS else b""
    for word in found:
        if word.lower() in ENCODINGS:
            raise ValidationError(f"{_quoted(word)} must stand directly before the comma of the data URL.")
        if not PARAMETER.fullmatch(word):
            raise ValidationError(f"{_quoted(word)} in the data URL is neither base64, binary nor name=value.")
    return encoding


def _decoded_base64(data: bytes, *, lost_pluses: bool) -> bytes:
    take_turn_over(len(data))
    with suppress(binascii.Error):
        return binascii.a2b_base64(data, strict_mode=True)  # what most clients send, in one pass over megabytes
    return _decoded_odd_base64(data, lost_pluses=lost_pluses)


def _decoded_odd_base64(data: bytes, *, lost_pluses: bool) -> bytes:
    take_turn_over(len(data))
    if lost_pluses and b" " in data:
        raise ValidationError("The base64 data has spaces. In a URL-encoded form, write each + of it as %2B.")
    if b"%" in data:
        data = unquote(data)
    data = data.translate(None, WHITE_SPACE)
    if (b"-" in data or b"_" in data) and not (b"+" in data or b"/" in data):
        data = data.translate(URL_SAFE)
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error as error:
        wrong = NOT_BASE64.search(data)
        reason = f"{_quoted(wrong[0])} at character {wrong.start() + 1}" if wrong else str(error).lower()
        raise ValidationError(f"The data after base64, is not valid base64: {reason}.") from error


def _unquoted(data: bytes) -> bytes:
    """Return percent-encoded data. No image consists of letters alone, but base64 without its announcement does."""
    if b"%" not in data:
        raise ValidationError(
            "The data URL needs ;base64 or ;binary before its comma, or percent-encoded data after it."
        )
    return unquote(data)


def _bytes_of_characters(data: bytes) -> bytes:
    """Return one byte for each character: how any byte can be written in JSON."""
    try:
        return data.decode().encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValidationError(
            "Binary data in JSON must have one character from U+0000 to U+00FF per byte; base64 is simpler."
        ) from error


def _quoted(text: bytes) -> str:
    return repr(text[:50].decode(errors="replace"))
