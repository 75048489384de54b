"""The Celery application of a worker: one Celery task for each kind, all of which hand IDs to the runner."""

import os
from collections.abc import Callable, Collection

from celery import Celery

from config.celery_options import celery_options
from config.queues import CELERY_TASK_NAMES
from config.settings import Settings
from workers.broker import IN_HAND_OPTION, Consumer, use_own_transport
from workers.in_hand import InHand
from workers.turns.channel import HEAVY_OPTION, HELD_BACK_OPTION, MOST_AT_ONCE_OPTION, TurnsTransport
from workers.turns.heavy_images import HeavyImages
from workers.turns.queue_cycle import QueueCycle

LARGEST_GROUP = 8  # tasks in one message: more would save little, and one thread's tasks wait for each other


def create_celery_app(
    settings: Settings,
    run_tasks: Callable[..., None],
    in_hand: InHand,
    heavy: HeavyImages,
    held_back: Callable[[], Collection[int]] = frozenset,
) -> Celery:
    """Return an application whose tasks call ``run_tasks`` with the IDs that a message carries.

    It takes no tasks of the accounts that ``held_back`` returns, and no more ``heavy`` ones than there is room for.
    """
    use_own_transport(TurnsTransport)
    app = Celery("recoq", set_as_current=False)
    app.conf.update(celery_options(settings))
    app.conf.worker_consumer = Consumer
    app.conf.broker_transport_options |= {
        "queue_order_strategy": QueueCycle,
        IN_HAND_OPTION: in_hand,
        HEAVY_OPTION: heavy,
        HELD_BACK_OPTION: held_back,
        MOST_AT_ONCE_OPTION: most_at_once(settings.worker_threads, os.cpu_count() or 1),
    }
    for name in CELERY_TASK_NAMES.values():
        app.task(run_tasks, name=name)
    return app


def most_at_once(threads: int, cores: int) -> int:
    """Return how many tasks one thread may run together: so many that there are still two threads for each core."""
    return min(max(1, threads // (2 * cores)), LARGEST_GROUP)
