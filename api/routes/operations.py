"""``/operations``: how the service is and was in the last hour, for the operations page and ``recoq status``."""

import orjson
from flask import Response

from api.auth import is_operator, principal
from api.endpoint import blueprint, endpoint
from api.overview import loss_answers, overview
from api.query import asked_integer
from api.schemas.operations import OperationsSchema
from api.services import services

LONGEST_MINUTES = 60

operations = blueprint("operations", "How the service is doing.")

MINUTES = [
    {
        "in": "query",
        "name": "minutes",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_MINUTES, "default": LONGEST_MINUTES},
        "description": "The time that sums and history cover.",
    }
]


@endpoint(operations, "GET", "/operations", gives=OperationsSchema, arguments=MINUTES)
def retrieve_operations() -> Response:
    """Retrieve what goes on in the service, now and in the last hour. It takes the role admin."""
    minutes = asked_integer("minutes", LONGEST_MINUTES, 1, LONGEST_MINUTES)
    sees = None if is_operator() else principal().account_id
    answer = overview(services().telemetry, services().names, sees, minutes)
    answer["ledger_losses"] = loss_answers(services().ids.losses.recent())
    return Response(orjson.dumps(answer), mimetype="application/json")
