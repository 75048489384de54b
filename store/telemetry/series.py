"""The metrics that processes tally: their names, labels and bounds. ``docs/metrics.md`` lists them all.

Labels have few values, and name nobody: networks appear with their IDs, accounts not at all.
"""

from dataclasses import dataclass

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass(frozen=True)
class Counter:
    """A number that only grows."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Histogram:
    """How often a value was at most each of the bounds; values above the last one are counted as well."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]


CANCELLED_OUTCOME = "cancelled"  # beside the final states of tasks

ACCEPTED = Counter("recoq_tasks_accepted", "Tasks that the API accepted.", ("kind", "network"))
ENDED = Counter("recoq_tasks_ended", "Tasks that ended, and how.", ("kind", "network", "outcome"))
TASK_SECONDS = Histogram("recoq_task_seconds", "Time of a task from its acceptance to its end.", ("kind",), SECONDS)
STAGE_SECONDS = Histogram(
    "recoq_stage_seconds",
    "Time of a task in one stage: queued, load, fetch, decode, preprocess, batch_wait, device, postprocess, write.",
    ("stage",),
    SECONDS,
)
BATCH_SIZE = Histogram("recoq_batch_size", "Inputs in a batch that ran on a device.", ("network",), SIZES)
BATCH_CHECKS = Counter(
    "recoq_batch_checks",
    "Batches whose inputs were run alone as well, and whether that gave the same.",
    ("network", "outcome"),
)
DEVICE_SECONDS = Counter("recoq_device_busy_seconds", "Time in which devices ran batches, by their share of a CPU.")
LOADS = Counter("recoq_network_loads", "Networks that were loaded into memory, or failed to.", ("network", "outcome"))
LOAD_SECONDS = Counter("recoq_network_load_seconds", "Time in which networks were loaded into memory.")
LEDGER_LOSSES = Counter("recoq_ledger_losses", "Times that the task ledger was found to have lost tasks.", ("kind",))
LOST_TASKS = Counter("recoq_ledger_lost_tasks", "Tasks that had not ended when the ledger was emptied.")
REQUESTS = Counter("recoq_http_requests", "Requests that the API answered.", ("endpoint", "method", "status"))
REQUEST_SECONDS = Histogram("recoq_http_request_seconds", "Time of a request in the API.", ("endpoint",), SECONDS)

SERIES: tuple[Counter | Histogram, ...] = (
    ACCEPTED,
    ENDED,
    TASK_SECONDS,
    STAGE_SECONDS,
    BATCH_SIZE,
    BATCH_CHECKS,
    DEVICE_SECONDS,
    LOADS,
    LOAD_SECONDS,
    LEDGER_LOSSES,
    LOST_TASKS,
    REQUESTS,
    REQUEST_SECONDS,
)
