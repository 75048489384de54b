"""The Celery options that API, reconciler and workers share.

Celery only carries task IDs here. Results, retries and time limits are the ledger's matter, so everything of Celery
that would duplicate them is off.
"""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from config.queues import RECOVERY_QUEUE
from config.settings import Settings

SOCKET_TIMEOUT_SECONDS = 2.0  # a frozen Redis must turn into an error before a client gives up


def broker_url(redis_url: str) -> str:
    """Return the URL of a Redis as kombu writes it, which has its own words for sockets."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    options = dict(parse_qsl(parts.query))
    user, password, database = (options.pop(name, "") for name in ("username", "password", "db"))
    credentials = parts.netloc or (f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else "")
    query = urlencode(options | ({"virtual_host": database} if database else {}))
    return f"redis+socket://{credentials}{parts.path}{'?' if query else ''}{query}"


def celery_options(settings: Settings) -> dict[str, Any]:
    """Return the configuration of a Celery application that meets the others on ``settings.redis_url``."""
    return {
        "broker_url": broker_url(settings.redis_url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
            "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
            "max_retries": 0,
            # kombu would note each message in Redis until it is acknowledged: two more round trips that were 40 % of a
            # worker's Python work. The ledger knows better what was lost, and sooner than a visibility timeout. And a
            # note that cannot be removed, while Redis is frozen, would block one of the worker's places for good.
            "ack_emulation": False,
            "priority_steps": [0],  # priorities are queues: kombu's own steps would let low ones starve
        },
        "task_ignore_result": True,
        "task_default_queue": RECOVERY_QUEUE,
        "task_default_delivery_mode": "transient",
        "task_serializer": "json",
        "accept_content": ["json"],
        # The ledger's lease, not the message, says who runs a task: a message may be forgotten once it is read.
        "task_acks_late": False,
        "worker_cancel_long_running_tasks_on_connection_loss": True,  # of which there are none: no acks are late
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "enable_utc": True,
    }
