"""``/healthz`` and ``/readyz``: for whatever starts and watches the process. No key is needed."""

from typing import Any

from flask import Blueprint

from api.readiness import readiness

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@health.get("/readyz")
def ready() -> tuple[dict[str, Any], int]:
    """Say whether what is accepted now would be done: 200, or 503 with the reasons."""
    reasons = readiness().reasons_against()
    if reasons:
        return {"status": "unavailable", "error": " ".join(reasons.values()), "reasons": reasons}, 503
    return {"status": "ok"}, 200
