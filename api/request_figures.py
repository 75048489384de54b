"""Counts the requests of the API and times them, by endpoint."""

import time

from flask import Flask, Response, g, request

from api.services import services
from store.telemetry.series import REQUEST_SECONDS, REQUESTS

NO_ENDPOINT = "none"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER_METHOD = "other"  # a client may send any word


def count_requests(app: Flask) -> None:
    """Make ``app`` tally each of its requests. To be called before anything else that looks at requests."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint, tally = request.endpoint or NO_ENDPOINT, services().telemetry.tally
        method = request.method if request.method in METHODS else OTHER_METHOD
        tally.count(REQUESTS, endpoint, method, str(response.status_code))
        tally.observe(REQUEST_SECONDS, endpoint, value=time.perf_counter() - g.started)
        return response
