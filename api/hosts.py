"""Refuses requests whose ``Host`` is missing or none, as RFC 9112 wants: links in answers begin with it.

What a trusted proxy says of host and scheme is held to the same, since many proxies pass on what a client has sent.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote

from flask import Flask, request

from api.errors import InvalidRequest

MAX_NAME_LENGTH = 253
MAX_PORT = 65535
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # with underscores, which names in container networks have
NAME = re.compile(rf"({LABEL}(?:\.{LABEL})*\.?)(?::(\d{{0,5}}))?", re.IGNORECASE | re.ASCII)
ADDRESS = re.compile(r"\[([0-9a-f:.]+)\](?::(\d{0,5}))?", re.IGNORECASE | re.ASCII)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_host(text: str) -> bool:
    """Tell whether ``text`` is the name or address of a host, and perhaps a port."""
    found = ADDRESS.fullmatch(text) or NAME.fullmatch(text)
    if found is None or len(found[1]) > MAX_NAME_LENGTH or int(found[2] or 0) > MAX_PORT:
        return False
    try:
        return found.re is NAME or bool(IPv6Address(found[1]))
    except AddressValueError:
        return False


def own_url() -> str:
    """Return the URL of this request without its query. Werkzeug's has no host where the name has an underscore."""
    host = (request.environ.get("HTTP_HOST") or request.host).removesuffix(DEFAULT_PORTS[request.scheme])
    return f"{request.scheme}://{host}{quote(request.root_path + request.path)}"


def require_hosts(app: Flask) -> None:
    """Make ``app`` refuse requests that do not say which host they are for. To be called before all else that asks."""

    @app.before_request
    def check_host() -> None:
        host = request.environ.get("HTTP_HOST")
        if host is None and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
            raise InvalidRequest("The header Host is missing, which HTTP/1.1 requires.")
        if host is not None and not is_host(host):
            raise InvalidRequest("The host of this request is not valid; Host must be a name or address, with a port.")
        if request.scheme not in DEFAULT_PORTS:
            raise InvalidRequest("The scheme of this request is neither http nor https; see X-Forwarded-Proto.")
