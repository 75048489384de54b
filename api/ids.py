"""The IDs of private resources in paths: integers that a database can hold, in ASCII digits.

Anything else is another address, for every method alike. A bound that is only checked after the route has matched would
leave routes of other methods matched, and a 405 in place of the 404.
"""

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

OWN_ID = "own_id"
MAX_DIGITS = 18  # the longest numbers that all fit in 63 bits


class OwnIdConverter(IntegerConverter):
    """The ID of a private resource."""

    regex = rf"[0-9]{{1,{MAX_DIGITS}}}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=10**MAX_DIGITS - 1)


def route_ids(app: Flask) -> None:
    """Let the routes of ``app`` have such IDs."""
    app.url_map.converters[OWN_ID] = OwnIdConverter
