"""``Idempotency-Key``: the same request, sent again under the same key, makes no second task.

Requests are the same if they were sent to the same address and say the same, in whatever form; which version was
current at the time does not count.
"""

from hashlib import sha256

import orjson
from flask import request

from api.errors import InvalidRequest
from store.task_records import Idempotency, NewTask

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
SETTLED_FIELDS = ("version_id", "network_id")


def asked_key() -> str | None:
    """Return the key that this request has, or None.

    Raises:
        InvalidRequest: if it is not 1 to 255 printable characters.
    """
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise InvalidRequest(f"{HEADER} must be 1 to {LONGEST_KEY} printable characters.")
    return key


def idempotency(key: str, new: NewTask) -> Idempotency:
    """Return under what this request accepts the task."""
    asked = {name: value for name, value in new.request.items() if name not in SETTLED_FIELDS}
    options = [new.kind.value, new.priority.value, new.deadline_seconds, new.webhook]
    fingerprint = sha256(orjson.dumps([request.path.rstrip("/"), options, asked], option=orjson.OPT_SORT_KEYS))
    for image in new.inputs:
        fingerprint.update(sha256(image).digest())
    return Idempotency(sha256(key.encode()).hexdigest(), fingerprint.hexdigest())
