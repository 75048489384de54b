"""Decides who asks and whether they may, before any view runs; the only place that knows about keys and roles."""

from hashlib import sha256
from threading import Lock
from typing import cast

from cachetools import TTLCache
from flask import Flask, Request, g, request

from api.errors import NotAllowed, NotAuthenticated
from api.services import services
from store.errors import Unavailable
from store.records import Principal

PREFIX = "/v0.7"
OPEN_PATHS = (f"{PREFIX}/docs", f"{PREFIX}/openapi.json")
READING_METHODS = ("GET", "HEAD")
METRICS_PATH = "/metrics"
ADMIN_PATHS = (f"{PREFIX}/operations",)  # although they are only read

REMEMBERED_SECONDS = 5.0  # a revoked key may go on for this long
STALE_SECONDS = 3600.0  # for so long a key may read its tasks while the database is away
REMEMBERED_KEYS = 10_000
EXTENSION = "recoq-keys"


class RecentKeys:
    """Keys that were found valid a moment ago, by digest: spares most requests a query."""

    def __init__(self) -> None:
        self._fresh: TTLCache[bytes, Principal] = TTLCache(REMEMBERED_KEYS, REMEMBERED_SECONDS)
        self._stale: TTLCache[bytes, Principal] = TTLCache(REMEMBERED_KEYS, STALE_SECONDS)
        self._lock = Lock()

    def principal(self, key: str, *, stale: bool) -> Principal | None:
        """Return who holds ``key``, or None if nobody does; with ``stale``, from memory while the database is away.

        Raises:
            Unavailable: if the database is away and memory will not do.
        """
        digest = _digest(key)
        with self._lock:
            known = self._fresh.get(digest)
        if known is not None:
            return known
        try:
            found = services().accounts.authenticate(key)
        except Unavailable:
            with self._lock:
                known_once = self._stale.get(digest)
            if stale and known_once is not None:
                return known_once
            raise
        self._remember(digest, found)
        return found

    def account_of(self, key: str) -> int | None:
        """Return the account of a key that was valid within the last hour, or None; asks nobody."""
        with self._lock:
            known = self._stale.get(_digest(key))
        return None if known is None else known.account_id

    def _remember(self, digest: bytes, found: Principal | None) -> None:
        with self._lock:
            if found is None:
                self._stale.pop(digest, None)
            else:
                self._fresh[digest] = self._stale[digest] = found


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="replace")).digest()


def needs_key(path: str) -> bool:
    """Tell whether ``path`` is for those with a key only."""
    if path.rstrip("/") == METRICS_PATH:
        return True
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return False
    return not any(path == open_path or path.startswith(f"{open_path}/") for open_path in OPEN_PATHS)


def may(principal: Principal, method: str, path: str) -> bool:
    """Tell whether the role of ``principal`` allows ``method`` on ``path``."""
    if principal.role == "admin":
        return True
    path = path.rstrip("/")
    if method in READING_METHODS:
        return path not in ADMIN_PATHS
    return method == "POST" and path.endswith(("/inference", "/inference/bulk"))


def reads_tasks(method: str, path: str) -> bool:
    """Tell whether a request only asks what became of tasks, which needs no database."""
    path = path.rstrip("/")
    return method in READING_METHODS and (path == f"{PREFIX}/tasks" or path.startswith(f"{PREFIX}/tasks/"))


def _key_of(asked: Request) -> str:
    """Return the key that was sent, or an empty text; scrapers can send it as a bearer token only."""
    key = asked.headers.get("X-API-KEY", "")
    sent = asked.authorization
    if not key and sent is not None and sent.type == "bearer" and asked.path.rstrip("/") == METRICS_PATH:
        return sent.token or ""
    return key


def _authenticate(keys: RecentKeys, asked: Request) -> Principal:
    key = _key_of(asked)
    if not key:
        raise NotAuthenticated("Send an API key in the header X-API-KEY.")
    principal = keys.principal(key, stale=reads_tasks(asked.method, asked.path))
    if principal is None:
        raise NotAuthenticated("The API key is not known.")
    if asked.headers.get("X-APP-ID") not in (None, "", principal.app_id):
        raise NotAuthenticated("X-APP-ID does not belong to the API key.")
    return principal


def require_keys(app: Flask) -> None:
    """Make ``app`` refuse requests without a valid key, and those that its role does not allow."""
    keys = app.extensions[EXTENSION] = RecentKeys()

    @app.before_request
    def check_key() -> None:
        if request.method == "OPTIONS" or not needs_key(request.path):
            return
        principal = _authenticate(keys, request)
        services().rates.count(principal.account_id)
        if not may(principal, request.method, request.path):
            raise NotAllowed(f"A key of the role {principal.role} may not do this; it takes the role admin.")
        g.principal = principal


def account_of(app: Flask, key: str) -> int | None:
    """Return the account of a key that ``app`` has seen to be valid a while ago, or None."""
    keys: RecentKeys = app.extensions[EXTENSION]
    return keys.account_of(key)


def principal() -> Principal:
    """Return who makes this request."""
    return cast(Principal, g.principal)


def account_id() -> int:
    """Return the ID of the account that makes this request."""
    return principal().account_id


def is_operator() -> bool:
    """Return whether the account that makes this request is that of the service's operator."""
    return principal().account_name == services().settings.operator_account
