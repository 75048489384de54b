"""The Celery application of a worker: one Celery task for each kind, all of which hand an ID to the runner."""

from collections.abc import Callable

from celery import Celery

from config.celery_options import celery_options
from config.queues import CELERY_TASK_NAMES
from config.settings import Settings
from workers.broker import Consumer, outlive_broker
from workers.queue_cycle import QueueCycle


def create_celery_app(settings: Settings, run_task: Callable[[str], None]) -> Celery:
    """Return an application whose tasks call ``run_task`` with the ID that the message carries."""
    outlive_broker()
    app = Celery("recoq", set_as_current=False)
    app.conf.update(celery_options(settings))
    app.conf.worker_consumer = Consumer
    app.conf.broker_transport_options["queue_order_strategy"] = QueueCycle
    for name in CELERY_TASK_NAMES.values():
        app.task(run_task, name=name)
    return app
