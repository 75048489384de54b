"""One attempt to deliver the webhook of a task, from the ledger and back into it."""

import logging
import time

import orjson

from store.accounts import Accounts
from store.availability.outages import note
from store.errors import NotFound, Unavailable
from store.task_json import task_answer
from store.task_ledger import TaskLedger
from store.webhook_ledger import Delivery, WebhookLedger
from workers.webhooks.sender import DeliveryError, ReceiverGone, WebhookSender
from workers.webhooks.signing import signed_headers

logger = logging.getLogger(__name__)


class Deliverer:
    """Delivers webhooks; one object serves all threads of a process."""

    def __init__(self, tasks: TaskLedger, webhooks: WebhookLedger, accounts: Accounts, sender: WebhookSender) -> None:
        self._tasks = tasks
        self._webhooks = webhooks
        self._accounts = accounts
        self._sender = sender

    def deliver(self, account_id: int, task_id: str) -> None:
        """Try once. If a backing service is away, or this process dies, the attempt is made again in a minute or so."""
        try:
            delivery = self._webhooks.begin(account_id, task_id)
            if delivery is not None:
                self._try(delivery)
        except NotFound:
            logger.info("Task %s was forgotten before its webhook was delivered.", task_id)
        except Unavailable as error:
            note(error)

    def _try(self, delivery: Delivery) -> None:
        body = orjson.dumps(task_answer(self._tasks.get(delivery.account_id, delivery.task_id)))
        secret = self._accounts.webhook_secret(delivery.account_id)
        headers = signed_headers(secret, f"task-{delivery.task_id}", int(time.time()), body)
        try:
            self._sender.send(delivery.url, body, headers)
        except DeliveryError as error:
            self._webhooks.failed(delivery, str(error), for_good=isinstance(error, ReceiverGone))
        else:
            self._webhooks.succeeded(delivery)
