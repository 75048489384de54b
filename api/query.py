"""Reads single arguments of the query of a request, for views and pages; what cannot be read is named."""

from flask import request

from api.errors import invalid_fields
from api.schemas.fields import BOOLEANS


def asked_integer(name: str, default: int, smallest: int, largest: int) -> int:
    """Return the whole number that the query gives.

    Raises:
        InvalidRequest: if it is not one from ``smallest`` to ``largest``.
    """
    text = request.args.get(name, str(default))
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    if not smallest <= number <= largest:
        raise invalid_fields({name: [f"Must be an integer from {smallest} to {largest}."]})
    return number


def asked_flag(name: str) -> bool:
    """Return whether the query sets a flag, with any spelling of a boolean that forms may have.

    Raises:
        InvalidRequest: if it is none of them.
    """
    value = BOOLEANS.get(request.args.get(name, "false"))
    if value is None:
        raise invalid_fields({name: ["Must be true or false."]})
    return value
