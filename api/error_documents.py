"""How errors look in the OpenAPI document: what a status means, an example of it, and the headers that come along."""

from http import HTTPStatus
from typing import Any

JsonObject = dict[str, Any]

EVERYWHERE = (400, 401, 403, 414, 429, 431, 503)
OF_CHANGES = (507,)
WITH_A_BODY = (408, 413, 415)

MEANINGS: dict[int, tuple[str, JsonObject]] = {
    400: (
        "The request, its body or an argument is not valid.",
        {
            "error": "inputs.0.image.source: This field is required.",
            "errors": {"inputs.0.image.source": ["This field is required."]},
        },
    ),
    401: ("The key is missing or not known, or X-APP-ID contradicts it.", {"error": "The API key is not known."}),
    403: (
        "The role of the key does not allow this.",
        {"error": "A key of the role read may not do this; it takes the role admin."},
    ),
    404: ("There is no such thing, or it belongs to another account.", {"error": "There is no specification 42."}),
    408: ("The request took too long to arrive.", {"error": "The request took too long to arrive."}),
    409: (
        "It contradicts what is stored.",
        {"error": "Another request was sent under this idempotency key within the last 24 hours."},
    ),
    413: (
        "The body is too large.",
        {"error": "The body is larger than the 67108864 bytes that are allowed here."},
    ),
    414: (
        "The address with its query is too long.",
        {"error": "The request line is longer than 65536 bytes."},
    ),
    415: (
        "The body is of a type or a Content-Encoding that is not read here.",
        {"error": "Send the body as application/json, multipart/form-data or application/x-www-form-urlencoded."},
    ),
    429: (
        "As much waits as may wait, or the account makes too many requests, or has too many connections.",
        {"error": "Your account has as many tasks waiting as it may have. Try again when some have ended."},
    ),
    431: (
        "A header is too long.",
        {"error": "A header is too long, or there are too many headers."},
    ),
    503: (
        "The database, the queue or the store of weights is away.",
        {"error": "The database is not reachable."},
    ),
    507: ("There is no room for it.", {"error": "There is no room left for weights."}),
}
RETRY_AFTER: JsonObject = {
    "description": "After how many seconds to try again.",
    "schema": {"type": "integer", "minimum": 1},
    "required": True,
}
HEADERS: dict[int, JsonObject] = {
    401: {"WWW-Authenticate": {"description": "Always ApiKey.", "schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": RETRY_AFTER},
    503: {"Retry-After": RETRY_AFTER},
}


def describe_errors(api: Any) -> None:
    """Complete the responses that flask-smorest has made of statuses."""
    responses = api.spec.components.responses
    for status, (description, example) in MEANINGS.items():
        response = responses.get(HTTPStatus(status).name)
        if response is not None:
            response["description"] = description
            response["content"]["application/json"]["example"] = example
            response["headers"] = HEADERS.get(status, {})
