"""Keeps tasks whose network or images are on their way, so that they take no thread from those that could go on.

Without it, networks that come and go and image servers that do not answer would keep all threads of a worker, and
everyone else would wait for what is not theirs. What is set aside keeps its lease, and is bounded: an account may have
as much here as is left free, so that one alone has half, and another one still finds room.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from store.task_records import ClaimedTask
from workers.leases import Leases

logger = logging.getLogger(__name__)

MOST_TASKS = 256
MOST_BYTES = 64 * 1024 * 1024  # of images

GoOn = Callable[[], bool]
"""Goes on with a task, and returns whether it was set aside again."""


_Claim = tuple[str, int]
"""A task's ID and fence."""


@dataclass(frozen=True)
class _Waiting:
    task: ClaimedTask
    nbytes: int
    go_on: GoOn


class SetAside:
    """Tasks that wait without a thread, and the threads in which they go on; safe to share between threads."""

    def __init__(self, leases: Leases, threads: int) -> None:
        self._leases = leases
        self._waiting: dict[_Claim, _Waiting] = {}
        self._tasks_of = Counter[int]()  # by account
        self._bytes_of = Counter[int]()
        self._is_closed = False
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "set-aside")

    def take(self, task: ClaimedTask, nbytes: int, ready: "Future[Any]", go_on: GoOn) -> bool:
        """Keep a task, whose images take ``nbytes``, and its lease until ``ready`` is done; then have a thread go on.

        False, and nothing is kept, if there is no room for it.
        """
        with self._lock:
            if self._is_closed or not self._has_room(task.account_id, nbytes):
                return False
            self._waiting[task.id, task.fence] = _Waiting(task, nbytes, go_on)
            self._tasks_of[task.account_id] += 1
            self._bytes_of[task.account_id] += nbytes
            self._leases.hold(task, waits=True)
        # A future keeps what it calls, and that of a network is kept as long as the network is loaded.
        claim = task.id, task.fence
        ready.add_done_callback(lambda _: self._begin(claim))
        return True

    def crowded(self) -> set[int]:
        """Return the accounts of which no more tasks can be kept for now."""
        with self._lock:
            return {account_id for account_id in self._tasks_of if not self._has_room(account_id, 1)}

    def give_up(self) -> list[ClaimedTask]:
        """Return the tasks that wait, which are not kept any more and whose leases are let go."""
        with self._lock:
            left = [each.task for each in self._waiting.values()]
            for counted in (self._waiting, self._tasks_of, self._bytes_of):
                counted.clear()
            for task in left:
                self._leases.let_go(task)
        return left

    def close(self) -> list[ClaimedTask]:
        """Keep nothing more, give up what waits, and return when what goes on has ended."""
        with self._lock:
            self._is_closed = True
        left = self.give_up()
        self._pool.shutdown()
        return left

    def _has_room(self, account_id: int, nbytes: int) -> bool:
        free_tasks, free_bytes = MOST_TASKS - len(self._waiting), MOST_BYTES - self._bytes_of.total()
        return self._tasks_of[account_id] < free_tasks and self._bytes_of[account_id] + nbytes <= free_bytes

    def _begin(self, claim: _Claim) -> None:
        with self._lock:
            found = self._waiting.pop(claim, None)
            if found is None:
                return  # given up
            account_id = found.task.account_id
            self._tasks_of[account_id] -= 1
            self._bytes_of[account_id] -= found.nbytes
            if not self._tasks_of[account_id]:
                del self._tasks_of[account_id], self._bytes_of[account_id]
            self._pool.submit(self._run, found.task, found.go_on)

    def _run(self, task: ClaimedTask, go_on: GoOn) -> None:
        self._leases.hold(task)
        waits_again = False
        try:
            waits_again = go_on()
        except Exception:
            logger.exception("Task %s could not go on.", task.id)
        finally:
            if not waits_again:
                self._leases.let_go(task)
