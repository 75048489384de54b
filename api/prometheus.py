"""Shows the sums of all processes, and the workers that live, as Prometheus metrics.

One scrape of any API process tells of the whole service, so there is nothing to gather from the processes of one host.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from config import VERSION
from store.telemetry.heartbeats import Heartbeat
from store.telemetry.pending import Pending
from store.telemetry.readings import Readings
from store.telemetry.series import SERIES, Counter, Histogram
from store.telemetry.telemetry import Telemetry

WORKER_LABELS = ("worker", "host", "device")


@dataclass(frozen=True)
class Gauge:
    """A number of each worker, read from its heartbeat, or of each network, read from the ledger."""

    name: str
    meaning: str
    read: Callable[[Any], float]


PENDING_GAUGES = (
    Gauge("recoq_tasks_pending", "Tasks that have not ended.", lambda pending: pending.count),
    Gauge(
        "recoq_tasks_pending_oldest_seconds",
        "Age of the oldest task that has not ended.",
        lambda pending: pending.oldest_seconds,
    ),
)
WORKER_GAUGES = (
    Gauge("recoq_worker_tasks", "Tasks that the worker has under way.", lambda beat: beat.tasks),
    Gauge("recoq_worker_threads", "Tasks that the worker can have under way.", lambda beat: beat.threads),
    Gauge(
        "recoq_worker_device_busy_ratio",
        "Share of the last ten seconds in which the device ran batches of the worker.",
        lambda beat: beat.busy_share,
    ),
    Gauge(
        "recoq_worker_memory_used_bytes",
        "Memory used on the GPU, or by the process.",
        lambda beat: beat.memory_used_bytes,
    ),
    Gauge(
        "recoq_worker_memory_total_bytes", "Memory of the GPU, or the machine.", lambda beat: beat.memory_total_bytes
    ),
    Gauge("recoq_worker_networks_loaded", "Networks in the memory of the worker.", lambda beat: len(beat.networks)),
    Gauge(
        "recoq_worker_cache_used_bytes",
        "Memory that the worker's networks take, those that are being loaded included.",
        lambda beat: beat.cache_used_bytes,
    ),
    Gauge(
        "recoq_worker_cache_budget_bytes",
        "Memory that the worker's networks may take.",
        lambda beat: beat.cache_budget_bytes,
    ),
    Gauge(
        "recoq_worker_confined",
        "Whether the kernel confines the worker in full: 1 or 0.",
        lambda beat: beat.sandbox_missing is None,
    ),
    Gauge("recoq_worker_start_time_seconds", "When the worker started, since the epoch.", lambda beat: beat.started),
    Gauge("recoq_worker_heartbeat_time_seconds", "When the worker last told of itself.", lambda beat: beat.seen),
)


class ServiceCollector(Collector):
    """Reads everything anew for each scrape.

    Raises:
        Unavailable: while it collects, if Redis is away.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        """Return all metrics."""
        totals = self._telemetry.history.totals()
        for series in SERIES:
            yield _counter(series, totals) if isinstance(series, Counter) else _histogram(series, totals)
        yield from _pending(self._telemetry.pending.by_network())
        yield from _workers(self._telemetry.heartbeats.living())
        build = GaugeMetricFamily("recoq_build_info", "The release of this API process.", labels=("version",))
        build.add_metric((VERSION,), 1)
        yield build


def _counter(counter: Counter, totals: Readings) -> Metric:
    family = CounterMetricFamily(counter.name, counter.meaning, labels=counter.labels)
    for labels, value in sorted(totals.counter(counter).items()):
        family.add_metric(labels, value)
    return family


def _histogram(histogram: Histogram, totals: Readings) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.meaning, labels=histogram.labels)
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    for labels, distribution in sorted(totals.histogram(histogram).items()):
        family.add_metric(labels, list(zip(bounds, accumulate(distribution.counts), strict=True)), distribution.sum)
    return family


def _pending(pending: Iterable[Pending]) -> Iterator[Metric]:
    rows = list(pending)
    for gauge in PENDING_GAUGES:
        family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=("network",))
        for each in rows:
            family.add_metric((str(each.network_id),), gauge.read(each))
        yield family


def _workers(heartbeats: list[Heartbeat]) -> Iterator[Metric]:
    yield GaugeMetricFamily("recoq_workers", "Workers that live.", value=len(heartbeats))
    for gauge in WORKER_GAUGES:
        family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=WORKER_LABELS)
        for beat in heartbeats:
            family.add_metric((beat.worker, beat.host, beat.device), gauge.read(beat))
        yield family
