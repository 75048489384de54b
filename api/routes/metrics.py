"""``/metrics``: for Prometheus. It takes a key of the operator's account, in either of two headers."""

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from api.auth import is_operator, principal
from api.errors import NotAllowed
from api.prometheus import ServiceCollector
from api.services import services

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def scrape() -> Response:
    """Show the metrics of the whole service, in the form that the scraper asks for."""
    if not is_operator():
        raise NotAllowed(f"The account {principal().account_name} is not the operator's: it may not read the metrics.")
    registry = CollectorRegistry()
    registry.register(ServiceCollector(services().telemetry))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)
