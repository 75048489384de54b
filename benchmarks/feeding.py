"""Puts tasks straight into the ledger of a running service, so that a queue is filled faster than over HTTP.

What the workers see is what the API would have written. What a task costs the API is not of interest to those who feed
like this.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import httpx
from redis import Redis

from cli.embedded_redis import with_running_redis
from config.queues import TaskKind
from config.settings import read_settings
from contract.image_costs import decoding_seconds
from store.redis_connection import connect
from store.task_keys import TASK_PREFIX
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import NewTask
from store.telemetry.pending import PendingTasks
from store.turns import Cost
from tests.service import Service

TTL_SECONDS = 600
AT_ONCE = 500  # tasks in one round trip
PAUSE_SECONDS = 0.01
MAX_PREDICTIONS = 100


class Feeder:
    """Submits tasks of one specification and counts those that have not ended."""

    def __init__(self, redis: Redis, account_id: int, request: dict[str, Any], images: Sequence[bytes]) -> None:
        self._queue = TaskQueue(redis, TaskLedger(redis, TTL_SECONDS))
        self._pending = PendingTasks(redis)
        self._tasks = [
            NewTask(account_id, TaskKind.RECOGNITION, request, (image,), cost=Cost(decoding_seconds(image)))
            for image in images
        ]
        self.submitted = 0

    @classmethod
    def of(cls, service: Service, spec_id: int, images: Sequence[bytes]) -> Self:
        """Return one that submits these images in turn, to a specification."""
        settings = with_running_redis(replace(read_settings(), data_folder=service.data_folder, embedded_redis=True))
        redis = connect(settings.redis_url)
        with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}) as client:
            spec = client.get(f"/recognition/specs/{spec_id}").raise_for_status().json()
            version = client.get(f"/recognition/versions/{spec['current_version_id']}").raise_for_status().json()
            files = {"inputs[0]image.source": ("image", images[0])}
            accepted = client.post(f"/recognition/specs/{spec_id}/inference", files=files).raise_for_status().json()
        request = {
            "version_id": version["id"],
            "network_id": version["network_id"],
            "inputs": [{"source": {"staged": 0}}],
            "show_discarded": False,
            "max_predictions": MAX_PREDICTIONS,
        }
        feeder = cls(redis, int(redis.hget(TASK_PREFIX + accepted["task_id"], "account")), request, images)
        feeder.wait_until_idle()
        return feeder

    def submit(self, count: int) -> None:
        """Submit so many tasks."""
        while count > 0:
            portion = min(count, AT_ONCE)
            start = self.submitted % len(self._tasks)
            turn = (self._tasks * (portion // len(self._tasks) + 2))[start : start + portion]
            for outcome in self._queue.submit_many(turn):
                if isinstance(outcome, Exception):
                    raise outcome
            self.submitted += portion
            count -= portion

    def pending(self) -> int:
        """Return how many tasks have not ended."""
        return sum(each.count for each in self._pending.by_network())

    def wait_until_idle(self) -> None:
        """Return when all tasks have ended."""
        while self.pending():
            time.sleep(PAUSE_SECONDS)

    def rate_at(self, depth: int, seconds: float) -> float:
        """Keep ``depth`` tasks pending for so long, and return how many ended in a second."""
        start, before = time.monotonic(), self.submitted - self.pending()
        while (elapsed := time.monotonic() - start) < seconds:
            self.submit(depth - self.pending())
            time.sleep(PAUSE_SECONDS)
        return (self.submitted - self.pending() - before) / elapsed
