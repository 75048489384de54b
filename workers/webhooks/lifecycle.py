"""The life of a process that delivers webhooks: start, serve, and on SIGTERM or Ctrl-C finish what it has begun."""

import os
import socket
import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning

from config.celery_options import celery_options
from config.log_setup import set_up_logging
from config.private_files import keep_private
from config.queues import WEBHOOK_QUEUE, WEBHOOK_TASK_NAME
from config.settings import Settings
from store.accounts import Accounts
from store.database import Database
from store.migrate import wait_for_current_schema
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.webhook_ledger import WebhookLedger
from workers.broker import IN_HAND_OPTION, Consumer, use_own_transport
from workers.in_hand import InHand
from workers.webhooks.delivery import Deliverer
from workers.webhooks.dispatcher import Dispatcher, announcer
from workers.webhooks.sender import WebhookSender


def serve(settings: Settings) -> int:
    """Deliver until told to stop, and return the exit status."""
    set_up_logging(settings.log_level)
    keep_private(settings.data_folder)
    # Celery warns root of messages that are pickles; ours are JSON, and nothing else is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    wait_for_current_schema(settings.database_url)
    redis = connect(settings.redis_url)
    webhooks = WebhookLedger(redis, settings.url_timeout_seconds)
    database = Database(settings.database_url)
    tasks = TaskLedger(redis, settings.task_ttl_seconds)
    app = _celery_app(settings, Deliverer(tasks, webhooks, Accounts(database), WebhookSender(settings)))
    name = f"{socket.gethostname()}-{os.getpid()}"
    dispatcher = Dispatcher(redis, webhooks, announcer(app), name, settings.worker_threads)
    dispatcher.start()

    def keep_our_logging(**_: Any) -> None:
        """Tell Celery that logging has been set up."""

    signals.setup_logging.connect(keep_our_logging)
    worker = app.Worker(
        pool="threads",
        concurrency=settings.worker_threads,
        queues=[WEBHOOK_QUEUE],
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    dispatcher.stop()
    database.close()
    return int(worker.exitcode or 0)


def _celery_app(settings: Settings, deliverer: Deliverer) -> Celery:
    in_hand = InHand()  # a process takes no more than its threads begin at once: the next one may have a free thread

    def deliver(account_id: int, task_id: str) -> None:
        in_hand.begin(1)
        try:
            deliverer.deliver(account_id, task_id)
        finally:
            in_hand.end(1)

    use_own_transport()
    app = Celery("recoq-webhooks", set_as_current=False)
    app.conf.update(celery_options(settings))
    app.conf.worker_consumer = Consumer
    app.conf.broker_transport_options |= {IN_HAND_OPTION: in_hand}
    app.task(deliver, name=WEBHOOK_TASK_NAME)
    return app
