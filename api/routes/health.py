"""``/healthz`` and ``/readyz``: for whatever starts and watches the process. No key is needed."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint

from api.services import services
from store.errors import Unavailable

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@health.get("/readyz")
def ready() -> tuple[dict[str, Any], int]:
    """Say whether requests can be served: 200, or 503 with the reasons."""
    checks: dict[str, Callable[[], None]] = {
        "database": services().database.check,
        "queue": services().ledger.check,
    }
    reasons: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
        except Unavailable as error:
            reasons[name] = str(error)
    if reasons:
        return {"status": "unavailable", "error": " ".join(reasons.values()), "reasons": reasons}, 503
    return {"status": "ok"}, 200
