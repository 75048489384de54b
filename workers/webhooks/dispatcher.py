"""Puts deliveries that are due into the Celery queue of webhooks: at once when a task ends, and later for retries.

The ledger is the truth; a message that is lost is sent again when its delivery is due again.
"""

import threading
from collections.abc import Callable

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.client import PubSub

from config.queues import WEBHOOK_QUEUE, WEBHOOK_TASK_NAME
from store.availability.outages import note
from store.availability.redis_states import ledger_away
from store.errors import Unavailable
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import WEBHOOKS_CHANNEL
from store.webhook_ledger import WebhookLedger

INTERVAL_SECONDS = 1.0
BUSY_SECONDS = 0.02  # while more are due: they are handed out as threads get free


class Dispatcher:
    """The thread that looks for due deliveries."""

    def __init__(
        self, redis: Redis, webhooks: WebhookLedger, announce: Callable[[int, str], None], name: str, threads: int
    ) -> None:
        self._redis = redis
        self._webhooks = webhooks
        self._announce = announce
        self._name = name
        self._threads = threads
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._dispatch_until_stopped, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def dispatch_once(self) -> bool:
        """Put what is due now into the queue, as far as there are threads for it, and return whether more is due."""
        handed_out = self._webhooks.hand_out(self._name, self._threads)
        for account_id, task_id in handed_out.deliveries:
            self._announce(account_id, task_id)
        return handed_out.more_are_due

    def _dispatch_until_stopped(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            while not self._stopped.is_set():
                try:
                    more_are_due = self.dispatch_once()
                    with redis_errors_as_unavailable():
                        self._until_told(subscription, BUSY_SECONDS if more_are_due else INTERVAL_SECONDS)
                except Unavailable:
                    self._stopped.wait(INTERVAL_SECONDS)

    def _until_told(self, subscription: PubSub, seconds: float) -> None:
        """Return when a task has ended whose webhook is due, or after ``seconds``."""
        if not subscription.subscribed:
            subscription.subscribe(WEBHOOKS_CHANNEL)
        subscription.get_message(timeout=seconds)


def announcer(app: Celery) -> Callable[[int, str], None]:
    """Return a function that sends the Celery message for the delivery of a task's webhook."""

    def announce(account_id: int, task_id: str) -> None:
        arguments = (account_id, task_id)
        try:
            app.send_task(WEBHOOK_TASK_NAME, args=arguments, queue=WEBHOOK_QUEUE, retry=False, ignore_result=True)
        except OperationalError as error:  # of kombu, around that of Redis
            away = ledger_away(error.__cause__ if isinstance(error.__cause__, Exception) else error)
            note(away)
            raise away from error

    return announce
