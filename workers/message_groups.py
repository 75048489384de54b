"""Makes one Celery message of several that were taken together, where one thread may run their tasks together."""

from collections.abc import Sequence
from typing import Any

import orjson

from config.queues import CELERY_TASK_NAMES, TaskKind

ALONE = CELERY_TASK_NAMES[TaskKind.DEPLOYMENT]  # it keeps its thread for minutes

Delivery = dict[str, Any]
"""A message as kombu takes it, and beside it, as ``originals``, those that it stands for as they were in the queue."""


def grouped(messages: Sequence[bytes]) -> list[Delivery]:
    """Return messages whose Celery task gets the arguments of all that it stands for, in order."""
    deliveries: list[Delivery] = []
    for message in messages:
        delivery: Delivery = orjson.loads(message)
        last = deliveries[-1] if deliveries else None
        if last is not None and _may_join(last, delivery):
            last["originals"].append(message)
            last["body"] = _joined(last["body"], delivery["body"])
        else:
            deliveries.append({**delivery, "originals": [message]})
    return deliveries


def _may_join(one: Delivery, other: Delivery) -> bool:
    ours, theirs = one["headers"]["task"], other["headers"]["task"]
    return bool(ours == theirs != ALONE)


def _joined(one: str, other: str) -> str:
    """Return the body of a Celery message with the positional arguments of both."""
    arguments, *rest = orjson.loads(one)
    return orjson.dumps([arguments + orjson.loads(other)[0], *rest]).decode()
