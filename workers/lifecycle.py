"""The life of a worker process: start, serve, drain.

On SIGTERM or Ctrl-C a worker takes no more messages, hands back what it has not begun and what waits for a network or
an image, finishes the rest, and leaves within ``RECOQ_DRAIN_SECONDS``, handing back what has not ended by then.
"""

import gc
import logging
import os
import socket
import sys
import warnings
from threading import Thread
from typing import Any

from celery import signals
from celery.exceptions import SecurityWarning

from config.log_setup import set_up_logging
from config.queues import WORKER_QUEUES
from config.settings import Settings
from inference.device import DeviceError
from store.errors import StoreError
from store.migrate import wait_for_current_schema
from workers.assembly import assemble
from workers.celery_app import create_celery_app
from workers.companions.start import Companions
from workers.memory.rest import MemoryAtRest
from workers.sandbox.confinement import Protection
from workers.watchdog import Limit, end_with, end_with_vital_threads, exit_after, watch

logger = logging.getLogger(__name__)


def run(settings: Settings, companions: Companions, protection: Protection) -> int:
    """Run a worker until it is told to stop, and return its exit status."""
    set_up_logging(settings.log_level)
    if protection.missing:
        logger.warning("The kernel does not confine this worker in full. %s", protection.missing)
    try:
        return _serve(settings, companions, protection)
    except (DeviceError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1


def _serve(settings: Settings, companions: Companions, protection: Protection) -> int:
    # Celery warns root of messages that are pickles; ours are JSON, and nothing else is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    wait_for_current_schema(settings.database_url)
    name = f"{socket.gethostname()}-{os.getpid()}"
    parts = assemble(settings, name, companions, protection)
    # Garbage is looked for in what comes from now on. To go through half a million objects of libraries as well stops
    # all threads for 0.4 s, each time that a network leaves and whenever Python thinks it is time.
    gc.collect()
    gc.freeze()
    app = create_celery_app(settings, parts.runner.run, parts.in_hand, parts.heavy, parts.runner.held_back)
    rest = MemoryAtRest(lambda: bool(parts.leases.held_now()))
    rest.start()
    parts.leases.start()
    parts.reconciler.start()
    end_with_vital_threads()
    for companion in companions.all():
        end_with(companion.name, companion.wait_for_end)
    limits = [
        Limit("A batch", parts.batcher.busy_seconds, settings.device_timeout_seconds),
        Limit("A task", parts.leases.longest_seconds, _longest_task_seconds(settings)),
    ]
    if parts.decoder is not None:
        limits.append(Limit("The GPU's decoder", parts.decoder.busy_seconds, settings.device_timeout_seconds))
    watch(limits)
    parts.pinned.start()

    # Celery keeps only weak references to receivers: these must live as long as the worker.
    def keep_our_logging(**_: Any) -> None:
        """Tell Celery that logging has been set up."""

    def say_ready(**_: Any) -> None:
        """Let the worker count as living once it takes messages, and not before."""
        parts.reporter.start()

    def drain(**_: Any) -> None:
        logger.info("Stopping: finishing what has begun, for at most %.0f s.", settings.drain_seconds)
        exit_after(settings.drain_seconds, lambda: parts.reconciler.hand_back(parts.leases.held_now()))
        # In a thread of its own: this is called in the middle of whatever the main thread is doing.
        Thread(target=lambda: parts.reconciler.hand_back(parts.runner.give_up_waiting()), name="hand-back").start()

    signals.setup_logging.connect(keep_our_logging)
    signals.worker_ready.connect(say_ready)
    signals.worker_shutting_down.connect(drain)
    worker = app.Worker(
        hostname=f"recoq@{name}",
        pool="threads",
        concurrency=settings.worker_threads,
        queues=list(WORKER_QUEUES),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    parts.reconciler.hand_back(parts.runner.stop())
    parts.reconciler.stop()
    if parts.decoder is not None:
        parts.decoder.close()
    if parts.decoders is not None:
        parts.decoders.close()
    parts.batcher.close()
    parts.leases.stop()
    parts.reporter.stop()
    rest.stop()
    return int(worker.exitcode or 0)


def _longest_task_seconds(settings: Settings) -> float:
    """Return what a task may take at most: to load its network, and to wait for the batches of all other threads.

    A new network is tried, loaded and warmed up.
    """
    return 3 * settings.load_timeout_seconds + (settings.worker_threads + 1) * settings.device_timeout_seconds
