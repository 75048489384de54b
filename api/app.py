"""Builds the Flask application. Called once in each process of the server, and by tests."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from api.auth import require_keys
from api.bodies.framing import require_whole_bodies
from api.bodies.memory import bound_body_memory
from api.bodies.pace import bound_body_time
from api.errors import register_error_handler
from api.hosts import require_hosts
from api.ids import route_ids
from api.openapi import serve_document, start_document
from api.query import bound_queries
from api.readiness import attach_readiness
from api.request_figures import count_requests
from api.routes.accounts import accounts
from api.routes.health import health
from api.routes.metrics import metrics
from api.routes.networks import networks
from api.routes.operations import operations
from api.routes.pages import pages
from api.routes.specs import specs
from api.routes.tasks import tasks
from api.routes.versions import versions
from api.services import Services, attach, open_services
from api.waiting import answer_waits
from config.settings import Settings
from store.redis_connection import bound_waits, unbound_waits

UPLOAD_PATH = "/v0.7/networks"
PREFLIGHT_SECONDS = 600
CORS_HEADERS = ["Content-Type", "X-API-KEY", "X-APP-ID", "Prefer", "Idempotency-Key"]
# Of every answer that does not say otherwise: a page has a policy of its own, static files may be cached.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
EXPOSED_HEADERS = ["Retry-After", "Preference-Applied"]


class _Application(Flask):
    """A Flask of plain functions; that none is a coroutine need not be found out a dozen times for each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view, or a function that runs before or after it, as it is."""
        return func


class OrjsonProvider(JSONProvider):
    """JSON through orjson, for the answers of flask-smorest and Flask."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return ``obj`` as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return the value that ``s`` holds."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a response with the JSON of its arguments."""
        return Response(orjson.dumps(self._prepare_response_obj(args, kwargs)), mimetype="application/json")


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Return the application, with ``services`` or those that ``settings`` describe."""
    app = _Application("recoq", static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    route_ids(app)
    services = services or open_services(settings)
    attach(app, services)
    attach_readiness(app, services)
    count_requests(app)
    require_hosts(app)
    bound_queries(app)
    app.before_request(bound_waits)
    app.teardown_request(unbound_waits)
    _limit_bodies(app, settings)
    require_keys(app)
    api = start_document(app)
    register_error_handler(app)
    for group in (networks, specs, versions, tasks, accounts, operations):
        api.register_blueprint(group)
    app.register_blueprint(health)
    app.register_blueprint(metrics)
    app.register_blueprint(pages)
    serve_document(app, api)
    _add_headers(app)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    answer_waits(app)  # after what adds headers, so that it comes before them
    require_whole_bodies(app)
    bound_body_time(app, settings.body_seconds)
    bound_body_memory(app, settings.body_memory_bytes, UPLOAD_PATH)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops, hops)  # type: ignore[method-assign]  # Flask's way
    return app


def _limit_bodies(app: Flask, settings: Settings) -> None:
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes

    @app.before_request
    def allow_uploads() -> None:
        if request.path.rstrip("/") == UPLOAD_PATH:
            request.max_content_length = settings.max_upload_bytes + settings.max_body_bytes


def _add_headers(app: Flask) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        given = {name.lower() for name, _ in response.headers}  # setdefault() raises and catches an error for each
        response.headers.extend(pair for pair in SECURITY_HEADERS.items() if pair[0].lower() not in given)
        return response


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    CORS(
        app,
        origins=list(origins),
        allow_headers=CORS_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )
