"""Collects the endpoints into the OpenAPI document and serves it with Swagger UI, whose files come with a package.

Nothing is loaded from elsewhere, so the page works without the internet.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, send_from_directory
from flask_smorest import Api

from api.endpoint import PREFIX
from api.error_documents import describe_errors
from api.schemas.answers import ErrorSchema
from api.schemas.fields import AlternativesSchema
from config import VERSION

TITLE = "Recoq recognition API"
DESCRIPTION = f"""Asynchronous image recognition. Post images to an address that ends in `/inference`, get the
ID of a task at once, and ask for the task until its status is no longer `pending`.

Every path works with and without a slash at its end. Bodies are JSON, `multipart/form-data` or
`application/x-www-form-urlencoded`. Every error has the same form. Served by Recoq {VERSION}."""
SECURITY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-KEY",
    "description": "The role `admin` may do everything; `read` may read and run inference.",
}

UI_FILES = Path(str(files("flask_swagger_ui") / "dist"))
UI_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<link rel="stylesheet" href="{PREFIX}/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="{PREFIX}/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{PREFIX}/docs/swagger-ui-bundle.js"></script>
<script src="{PREFIX}/docs/start.js"></script>
</body>
</html>
"""
UI_SCRIPT = f"""window.addEventListener("load", () => SwaggerUIBundle({{
  url: "{PREFIX}/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
}}));
"""
UI_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KEPT_SECONDS = 3600


def start_document(app: Flask) -> Any:
    """Return the flask-smorest API of ``app``, to which endpoints are added."""
    app.config["OPENAPI_URL_PREFIX"] = None  # the document is served below, under the API's own prefix
    api = Api(
        spec_kwargs={
            "title": TITLE,
            "version": "0.7",
            "openapi_version": "3.1.0",
            "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/"}],
            "security": [{"apiKey": []}],
        }
    )
    api.ERROR_SCHEMA = ErrorSchema
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # every status that an endpoint may answer with is named
    api.init_app(app)
    return api


def serve_document(app: Flask, api: Any) -> None:
    """Serve the finished document and the page that shows it."""
    api.spec.components.security_scheme("apiKey", SECURITY_SCHEME)
    _document_alternatives(api)
    describe_errors(api)
    document = orjson.dumps(api.spec.to_dict())
    docs = Blueprint("docs", __name__, url_prefix=PREFIX)

    @docs.get("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    @docs.get("/docs")
    def page() -> Response:
        return Response(UI_PAGE, mimetype="text/html", headers={"Content-Security-Policy": UI_POLICY})

    @docs.get("/docs/start.js")
    def start() -> Response:
        return Response(UI_SCRIPT, mimetype="text/javascript")

    @docs.get("/docs/<name>")
    def ui_file(name: str) -> Response:
        return send_from_directory(UI_FILES, name, max_age=KEPT_SECONDS)

    app.register_blueprint(docs)


def _document_alternatives(api: Any) -> None:
    """Say ``oneOf`` where exactly one of several fields is to be given, which apispec cannot see in a validator."""
    for (schema, *_), name in api.ma_plugin.converter.refs.items():
        if issubclass(schema, AlternativesSchema):
            api.spec.components.schemas[name]["oneOf"] = [{"required": [field]} for field in schema.alternatives]
