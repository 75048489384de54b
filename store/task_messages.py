"""The Celery messages that tell workers of tasks, made once by Celery and then only given their task's ID.

A message says no more than a name and an ID, so all messages of a kind are alike. Copying one spares each request most
of what publishing costs, and lets the ledger put it into its queue in the same step that accepts the task: a task is
never recorded without its message.
"""

import json
from functools import cache
from uuid import uuid4

from celery import Celery

from config.queues import CELERY_TASK_NAMES, TaskKind

ID_PLACEHOLDER = "@TASK_ID@"
TAG_PLACEHOLDER = "@TAG@"

_QUEUE_PLACEHOLDER = "@QUEUE@"


@cache
def _template(kind: TaskKind) -> str:
    """Return what Celery and kombu's Redis transport would put into a queue, with placeholders."""
    with Celery("recoq", broker="memory://", set_as_current=False) as app, app.connection_for_write() as connection:
        app.send_task(
            CELERY_TASK_NAMES[kind],
            args=(ID_PLACEHOLDER,),
            task_id=ID_PLACEHOLDER,  # by which the ledger knows the message
            queue=_QUEUE_PLACEHOLDER,
            ignore_result=True,
            connection=connection,
        )
        channel = connection.default_channel
        message = channel._get(_QUEUE_PLACEHOLDER)
        body = channel.decode_body(message["body"], message["properties"].pop("body_encoding"))
        message["body"] = body.decode()  # base64 would hide the placeholder
        message["properties"]["delivery_tag"] = TAG_PLACEHOLDER
        message["properties"]["delivery_mode"] = 1  # Redis keeps what it has; nothing of Celery's is stored beside
    return json.dumps(message, separators=(",", ":"))


def message_template(kind: TaskKind, queue: str) -> str:
    """Return the message of a task in ``queue``, for a script that puts in ID and tag."""
    return _template(kind).replace(_QUEUE_PLACEHOLDER, queue)


def message(kind: TaskKind, queue: str, task_id: str) -> str:
    """Return the message of this task in ``queue``; two of the same task are two deliveries."""
    template = message_template(kind, queue)
    return template.replace(ID_PLACEHOLDER, task_id).replace(TAG_PLACEHOLDER, str(uuid4()))
