"""Refuses bodies and parts that are compressed or encoded for their transfer.

Their bytes would be taken for what they hold. Images and weights are compressed already, and to unpack what others have
packed costs more than was sent.
"""

from collections.abc import Mapping

from flask import Request

from api.errors import InvalidRequest, UnsupportedEncoding

PLAIN = ("", "identity")
PLAIN_TRANSFER = ("", "7bit", "8bit", "binary")


def require_plain_body(request: Request) -> None:
    """Return if the body is sent as it is.

    Raises:
        UnsupportedEncoding: if it has a Content-Encoding.
    """
    codings = [coding.strip() for coding in request.headers.get("Content-Encoding", "").split(",")]
    encoded = [coding for coding in codings if coding.lower() not in PLAIN]
    if encoded:
        raise UnsupportedEncoding(f"The Content-Encoding {encoded[0][:50]!r} is not read; send the body without it.")


def require_plain_part(name: str, headers: Mapping[str, str]) -> None:
    """Return if a part of a multipart body is sent as it is; ``headers`` by their names in lower case.

    Raises:
        InvalidRequest: if it has an encoding of its own.
    """
    for header, plain in (("Content-Encoding", PLAIN), ("Content-Transfer-Encoding", PLAIN_TRANSFER)):
        coding = headers.get(header.lower(), "").strip()
        if coding.lower() not in plain:
            raise InvalidRequest(
                f"The {header} {coding[:50]!r} of the part {name[:100]!r} is not read; send its bytes as they are."
            )
