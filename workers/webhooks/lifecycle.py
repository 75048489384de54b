"""The life of a process that delivers webhooks: start, serve, and on SIGTERM or Ctrl-C finish what it has begun."""

import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning

from config.celery_options import celery_options
from config.log_setup import set_up_logging
from config.queues import WEBHOOK_QUEUE, WEBHOOK_TASK_NAME
from config.settings import Settings
from store.accounts import Accounts
from store.database import Database
from store.migrate import require_current_schema
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.webhook_ledger import WebhookLedger
from workers.broker import Consumer, use_own_transport
from workers.webhooks.delivery import Deliverer
from workers.webhooks.dispatcher import Dispatcher, announcer
from workers.webhooks.sender import WebhookSender

QUEUED_PER_THREAD = 2  # what waits longer than a delivery may take is due again, and would be tried twice


def serve(settings: Settings) -> int:
    """Deliver until told to stop, and return the exit status."""
    set_up_logging(settings.log_level)
    # Celery warns root of messages that are pickles; ours are JSON, and nothing else is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    require_current_schema(settings.database_url)
    redis = connect(settings.redis_url)
    webhooks = WebhookLedger(redis)
    accounts = Accounts(Database(settings.database_url))
    tasks = TaskLedger(redis, settings.task_ttl_seconds)
    app = _celery_app(settings, Deliverer(tasks, webhooks, accounts, WebhookSender(settings)))
    dispatcher = Dispatcher(redis, webhooks, announcer(app), QUEUED_PER_THREAD * settings.worker_threads)
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
    return int(worker.exitcode or 0)


def _celery_app(settings: Settings, deliverer: Deliverer) -> Celery:
    use_own_transport()
    app = Celery("recoq-webhooks", set_as_current=False)
    app.conf.update(celery_options(settings))
    app.conf.worker_consumer = Consumer
    app.task(deliverer.deliver, name=WEBHOOK_TASK_NAME)
    return app
