"""The pages for people: the playground at ``/``, ``/upload``, and the operations page ``/ops``.

They are the plain files of ``api/pages``, and use the API with the key that a person gives.

The page that holds the key can load nothing from, and tell nothing to, any other host. An image at somebody's URL is
shown in a frame of its own, which has no key and no way to reach the page.
"""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

FOLDER = Path(__file__).parents[1] / "pages"
REMOTE_IMAGE = "remote-image.html"

NOTHING_ELSE = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'"
POLICY = (
    f"{NOTHING_ELSE}; img-src 'self' blob:; connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
REMOTE_IMAGE_POLICY = f"{NOTHING_ELSE}; img-src http: https:; frame-ancestors 'self'; sandbox allow-scripts"

pages = Blueprint("pages", __name__)


@pages.get("/")
def playground() -> Response:
    """Show the page on which a person tries specifications."""
    return _page("playground.html", POLICY)


@pages.get("/upload", strict_slashes=True)  # a page names its files relative to the folder that it is in
def upload() -> Response:
    """Show the page on which a person uploads a model."""
    return _page("upload.html", POLICY)


@pages.get("/ops", strict_slashes=True)
def operations() -> Response:
    """Show the page that says what goes on in the service."""
    return _page("operations.html", POLICY)


@pages.get("/pages/<path:name>")
def page_file(name: str) -> Response:
    """Send a file of a page."""
    return _page(name, REMOTE_IMAGE_POLICY if name == REMOTE_IMAGE else POLICY)


def _page(name: str, policy: str) -> Response:
    response = send_from_directory(FOLDER, name)
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"  # asked again each time, and answered 304: never older than the API
    return response
