"""Keeps tasks whose network is being loaded, so that they take no thread from those whose network is there.

Without it, tasks of networks that come and go would fill all threads of a worker, and everyone else would wait for
loads that are not theirs. What is set aside keeps its lease; so much is bounded, and beyond that, threads do wait.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from store.task_records import ClaimedTask
from workers.leases import Leases

logger = logging.getLogger(__name__)

MOST_TASKS = 256
MOST_BYTES = 64 * 1024 * 1024  # of images that were sent along


class SetAside:
    """Tasks that wait without a thread, and the threads in which they go on; safe to share between threads."""

    def __init__(self, leases: Leases, threads: int) -> None:
        self._leases = leases
        self._waiting: dict[tuple[str, int], ClaimedTask] = {}
        self._bytes = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "set-aside")

    def take(self, task: ClaimedTask, ready: "Future[Any]", go_on: Callable[[], None]) -> bool:
        """Keep a task and its lease until ``ready`` is done, then have a thread go on with it.

        False, and nothing is kept, if there is no room for it.
        """
        with self._lock:
            nbytes = _bytes_of(task)
            if self._is_closed or len(self._waiting) >= MOST_TASKS or self._bytes + nbytes > MOST_BYTES:
                return False
            self._waiting[task.id, task.fence] = task
            self._bytes += nbytes
        self._leases.hold(task)
        ready.add_done_callback(lambda _: self._begin(task, go_on))
        return True

    def close(self) -> list[ClaimedTask]:
        """Finish what goes on, and return the tasks that still waited, whose leases are let go."""
        with self._lock:
            self._is_closed = True
            left = list(self._waiting.values())
            self._waiting.clear()
        self._pool.shutdown()
        for task in left:
            self._leases.let_go(task)
        return left

    def _begin(self, task: ClaimedTask, go_on: Callable[[], None]) -> None:
        with self._lock:
            if self._waiting.pop((task.id, task.fence), None) is None:
                return  # handed back
            self._bytes -= _bytes_of(task)
            self._pool.submit(self._run, task, go_on)

    def _run(self, task: ClaimedTask, go_on: Callable[[], None]) -> None:
        try:
            go_on()
        except Exception:
            logger.exception("Task %s could not go on.", task.id)
        finally:
            self._leases.let_go(task)


def _bytes_of(task: ClaimedTask) -> int:
    return sum(map(len, task.inputs))
