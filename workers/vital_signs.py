"""What a worker tells of itself: each task that ended, each batch that ran, each network that was loaded."""

import threading
from weakref import WeakKeyDictionary

from config.queues import TaskKind
from inference.evidence.service import BatchCheck
from inference.waiting import BatchRun, Runnable
from store.task_records import ClaimedTask, Outcome
from store.telemetry.series import (
    BATCH_CHECKS,
    BATCH_SIZE,
    DEVICE_SECONDS,
    ENDED,
    LOAD_SECONDS,
    LOADS,
    STAGE_SECONDS,
    TASK_SECONDS,
)
from store.telemetry.telemetry import Telemetry
from workers.stopwatch import Stopwatch

QUEUED_STAGE = "queued"
WRITE_STAGE = "write"


class VitalSigns:
    """Tallies what the parts of a worker report; safe to share between threads.

    ``batches``, ``inputs``, ``busy_seconds`` and ``loads`` are sums since the start, for the heartbeat.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._tally = telemetry.tally
        self._errors = telemetry.error_tally
        self._network_ids: WeakKeyDictionary[Runnable, int] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self.batches = 0
        self.inputs = 0
        self.busy_seconds = 0.0
        self.loads = 0

    def task_ended(self, task: ClaimedTask, outcome: Outcome, stopwatch: Stopwatch, write_seconds: float) -> None:
        """Note a task that this worker ended; ``write_seconds`` is how long the writing of its outcome took."""
        tally, kind = self._tally, task.kind.value
        tally.count(ENDED, kind, str(task.network_id), outcome.status.value)
        if outcome.error is not None:
            self._errors.count(task.account_id, task.network_id, outcome.error, task.id)
        seconds = task.queued_seconds + write_seconds + sum(stopwatch.seconds.values())
        tally.observe(TASK_SECONDS, kind, value=seconds)
        if task.kind is TaskKind.DEPLOYMENT:  # its stages are of another size than those of all others
            return
        tally.observe(STAGE_SECONDS, QUEUED_STAGE, value=task.queued_seconds)
        for stage, spent in stopwatch.seconds.items():
            tally.observe(STAGE_SECONDS, stage.value, value=spent)
        tally.observe(STAGE_SECONDS, WRITE_STAGE, value=write_seconds)

    def batch_ran(self, network: Runnable, run: BatchRun) -> None:
        """Note a batch that the device has run."""
        with self._lock:
            self.batches += 1
            self.inputs += run.size
            self.busy_seconds += run.seconds * run.share
        self._tally.observe(BATCH_SIZE, str(self._network_ids.get(network, 0)), value=run.size)
        self._tally.count(DEVICE_SECONDS, amount=run.seconds * run.share)

    def batch_checked(self, check: BatchCheck) -> None:
        """Note a batch whose samples were run alone as well."""
        with self._lock:
            self.busy_seconds += check.seconds
        self._tally.count(BATCH_CHECKS, str(self._network_ids.get(check.network, 0)), check.outcome.value)
        self._tally.count(DEVICE_SECONDS, amount=check.seconds)

    def network_id(self, network: Runnable) -> int | None:
        """Return the ID of a network that batches may run."""
        return self._network_ids.get(network)

    def knows(self, network: Runnable, network_id: int) -> None:
        """Remember the ID of a network that batches may run from now on."""
        self._network_ids[network] = network_id

    def network_loaded(self, network_id: int, seconds: float) -> None:
        """Note that a network was loaded into memory."""
        with self._lock:
            self.loads += 1
        self._tally.count(LOADS, str(network_id), "success")
        self._tally.count(LOAD_SECONDS, amount=seconds)

    def load_failed(self, network_id: int) -> None:
        """Note that a network could not be loaded."""
        self._tally.count(LOADS, str(network_id), "error")
