"""Reads single arguments of the query of a request, for views and pages; what cannot be read is named."""

from flask import Flask, request

from api.errors import InvalidRequest, invalid_fields
from api.schemas.fields import BOOLEANS

MAX_ARGUMENTS = 2000  # twice the task IDs that one request may name


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


def bound_queries(app: Flask) -> None:
    """Make ``app`` refuse queries of more arguments than any view reads, before they are taken apart."""

    @app.before_request
    def check_query() -> None:
        if request.query_string.count(b"&") >= MAX_ARGUMENTS:
            raise InvalidRequest(f"The query has more than {MAX_ARGUMENTS} arguments.")
