"""The truth about webhooks, beside that about tasks: which deliveries are due, how often they were tried, how it went.

When a task ends, the script that ends it lists the delivery as due. The webhook processes take due deliveries, try
them, and settle them here. What is tried and not settled, because its process died, is due again a minute later.
Times are seconds since the epoch
by the clock of Redis (``lua/clock.lua``).
"""

import random
from dataclasses import dataclass

from redis import Redis

from config.queues import WEBHOOK_QUEUE
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import TASK_PREFIX, WEBHOOKS_KEY
from store.task_records import WebhookStatus

AGAIN_SECONDS = 60.0  # above what an attempt may take, with its wait for a thread
GIVE_UP_SECONDS = 24 * 3600.0
DELAYS_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 4 * 3600.0)  # the last one again and again
JITTER = 0.1  # receivers that were away are not met by all deliveries at once


@dataclass(frozen=True)
class Delivery:
    """One attempt to tell an account's receiver of a task that ended ``age_seconds`` ago."""

    task_id: str
    account_id: int
    url: str
    attempt: int
    age_seconds: float


class WebhookLedger:
    """All deliveries that are under way; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._hand_out = ledger_script(redis, "clock", "hand_out_webhooks")
        self._begin = ledger_script(redis, "clock", "begin_webhook")
        self._settle = ledger_script(redis, "clock", "settle_webhook")

    def hand_out(self, most_waiting: int) -> list[str]:
        """Return the IDs of tasks whose deliveries are due; no other caller gets them for a minute.

        With those that the queue of webhooks holds already, they are no more than ``most_waiting``.
        """
        with redis_errors_as_unavailable():
            due = self._hand_out(keys=[WEBHOOKS_KEY, WEBHOOK_QUEUE], args=[AGAIN_SECONDS, most_waiting])
        return [task_id.decode() for task_id in due]

    def begin(self, task_id: str) -> Delivery | None:
        """Begin an attempt; None if there is nothing to deliver any more, or another process is at it."""
        with redis_errors_as_unavailable():
            found = self._begin(keys=_keys(task_id), args=[task_id, AGAIN_SECONDS])
        if found is None:
            return None
        account, url, attempt, age = found
        return Delivery(task_id, int(account), url.decode(), attempt, float(age))

    def succeeded(self, delivery: Delivery) -> None:
        """Note that the receiver has taken it."""
        self._note(delivery, WebhookStatus.DELIVERED, "", None)

    def failed(self, delivery: Delivery, error: str, *, for_good: bool = False) -> None:
        """Note why it could not be delivered, and try again later, unless it is too late or ``for_good``."""
        delay = _delay_seconds(delivery.attempt)
        if for_good or delivery.age_seconds + delay > GIVE_UP_SECONDS:
            self._note(delivery, WebhookStatus.FAILED, error, None)
        else:
            self._note(delivery, WebhookStatus.PENDING, error, delay)

    def _note(self, delivery: Delivery, status: WebhookStatus, error: str, again_seconds: float | None) -> None:
        arguments: list[str | float] = [
            delivery.task_id,
            delivery.attempt,
            status.value,
            error,
            "" if again_seconds is None else again_seconds,
        ]
        with redis_errors_as_unavailable():
            self._settle(keys=_keys(delivery.task_id), args=arguments)


def _keys(task_id: str) -> list[str]:
    return [TASK_PREFIX + task_id, WEBHOOKS_KEY]


def _delay_seconds(attempt: int) -> float:
    delay = DELAYS_SECONDS[min(attempt, len(DELAYS_SECONDS)) - 1]
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
