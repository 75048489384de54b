"""The truth about webhooks, beside that about tasks: which deliveries are due, how often they were tried, how it went.

When a task ends, the script that ends it lists the delivery as due. The webhook processes take due deliveries, try
them, and settle them here. What is tried and not settled, because its process died, is due again when the attempt
must have ended. Deliveries are listed by account, and each account may have only so many under way that others find a
free thread (``lua/hand_out_webhooks.lua``). Times are seconds since the epoch by the clock of Redis
(``lua/clock.lua``).
"""

import random
from dataclasses import dataclass

from redis import Redis

from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import (
    TASK_PREFIX,
    WEBHOOK_SENDERS_KEY,
    WEBHOOKS_KEY,
    WEBHOOKS_PREFIX,
    WEBHOOKS_UNDER_WAY_PREFIX,
)
from store.task_records import WebhookStatus

BESIDE_SENDING_SECONDS = 50.0  # above what an attempt waits for a thread, Redis and the database
SENDER_SECONDS = 2.5  # how long a process counts that was not heard of: they are heard of every second
GIVE_UP_SECONDS = 24 * 3600.0
DELAYS_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 4 * 3600.0)  # the last one again and again
JITTER = 0.1  # receivers that were away are not met by all deliveries at once


@dataclass(frozen=True)
class HandedOut:
    """Deliveries to try now, by account and task, and whether more are due that would take too many threads."""

    deliveries: tuple[tuple[int, str], ...]
    more_are_due: bool


@dataclass(frozen=True)
class Delivery:
    """One attempt to tell an account's receiver of a task that ended ``age_seconds`` ago."""

    task_id: str
    account_id: int
    url: str
    attempt: int
    age_seconds: float


class WebhookLedger:
    """All deliveries that are to be made; safe to share between threads. Sending takes ``timeout_seconds`` at most."""

    def __init__(self, redis: Redis, timeout_seconds: float) -> None:
        self._attempt_seconds = timeout_seconds + BESIDE_SENDING_SECONDS
        self._hand_out = ledger_script(redis, "clock", "hand_out_webhooks")
        self._begin = ledger_script(redis, "clock", "begin_webhook")
        self._settle = ledger_script(redis, "clock", "settle_webhook")

    def hand_out(self, sender: str, threads: int) -> HandedOut:
        """Return deliveries that are due, for the threads of all senders; nobody else gets them meanwhile.

        ``sender`` is the name of the calling process, which has ``threads`` and calls every second or so.
        """
        arguments: list[str | float] = [sender, threads, SENDER_SECONDS, self._attempt_seconds]
        arguments += [WEBHOOKS_PREFIX, WEBHOOKS_UNDER_WAY_PREFIX]
        with redis_errors_as_unavailable():
            found, more = self._hand_out(keys=[WEBHOOKS_KEY, WEBHOOK_SENDERS_KEY], args=arguments)
        pairs = zip(found[::2], found[1::2], strict=True)
        return HandedOut(tuple((int(account), task_id.decode()) for account, task_id in pairs), bool(more))

    def begin(self, account_id: int, task_id: str) -> Delivery | None:
        """Begin an attempt; None if there is nothing to deliver any more, or another process is at it."""
        with redis_errors_as_unavailable():
            found = self._begin(keys=_keys(account_id, task_id), args=[task_id, self._attempt_seconds])
        if found is None:
            return None
        url, attempt, age = found
        return Delivery(task_id, account_id, url.decode(), attempt, float(age))

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
            self._settle(keys=_keys(delivery.account_id, delivery.task_id), args=arguments)


def _keys(account_id: int, task_id: str) -> list[str]:
    return [TASK_PREFIX + task_id, f"{WEBHOOKS_PREFIX}{account_id}", f"{WEBHOOKS_UNDER_WAY_PREFIX}{account_id}"]


def _delay_seconds(attempt: int) -> float:
    delay = DELAYS_SECONDS[min(attempt, len(DELAYS_SECONDS)) - 1]
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
