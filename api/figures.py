"""Sums up the history of the service: plain numbers for the operations page, from what all processes have tallied."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from config.queues import TaskKind
from store.task_json import iso_date
from store.telemetry.history import BUCKET_SECONDS, KEPT_SECONDS, Bucket
from store.telemetry.readings import Distribution, Labels, Readings
from store.telemetry.series import (
    ACCEPTED,
    BATCH_SIZE,
    DEVICE_SECONDS,
    ENDED,
    LOADS,
    STAGE_SECONDS,
    TASK_SECONDS,
    Counter,
    Histogram,
)

SUCCESS, ERROR = "success", "error"
COLUMNS = {SUCCESS: "succeeded", ERROR: "failed"}
STAGES = ("queued", "load", "fetch", "decode", "preprocess", "batch_wait", "device", "postprocess", "write")
JsonObject = dict[str, Any]


class Figures:
    """The sums over some buckets of the history."""

    def __init__(self, readings: Iterable[Readings]) -> None:
        self._readings = list(readings)

    def counters(self, counter: Counter) -> dict[Labels, float]:
        """Return the growth of a counter by its labels."""
        sums: defaultdict[Labels, float] = defaultdict(float)
        for readings in self._readings:
            for labels, value in readings.counter(counter).items():
                sums[labels] += value
        return sums

    def histograms(self, histogram: Histogram) -> dict[Labels, Distribution]:
        """Return what a histogram has counted, by its labels."""
        found: defaultdict[Labels, list[Distribution]] = defaultdict(list)
        for readings in self._readings:
            for labels, distribution in readings.histogram(histogram).items():
                found[labels].append(distribution)
        return {labels: Distribution.total(distributions) for labels, distributions in found.items()}

    def tasks(self) -> JsonObject:
        """Return how many tasks were accepted, succeeded and failed."""
        ended = self.counters(ENDED)
        return {
            "accepted": _total(self.counters(ACCEPTED).values()),
            "succeeded": _total(value for labels, value in ended.items() if labels[2] == SUCCESS),
            "failed": _total(value for labels, value in ended.items() if labels[2] == ERROR),
        }

    def task_seconds(self) -> Distribution | None:
        """Return how long tasks took, without deployments; None if there were none."""
        found = self.histograms(TASK_SECONDS)
        found.pop((TaskKind.DEPLOYMENT.value,), None)
        return Distribution.total(list(found.values())) if found else None

    def totals(self) -> JsonObject:
        """Return the sums over all tasks."""
        seconds = self.task_seconds()
        quantiles = (None, None, None) if seconds is None else _summary(seconds)
        return {**self.tasks(), "task_milliseconds": dict(zip(("mean", "median", "p95"), quantiles, strict=True))}

    def stages(self) -> list[JsonObject]:
        """Return how long tasks spent in each stage, in the order of the stages."""
        found = {labels[0]: distribution for labels, distribution in self.histograms(STAGE_SECONDS).items()}
        rows = []
        for stage in STAGES:
            if stage in found:
                mean, median, p95 = _summary(found[stage])
                row: JsonObject = {"stage": stage, "count": int(found[stage].count), "mean_milliseconds": mean}
                rows.append({**row, "median_milliseconds": median, "p95_milliseconds": p95})
        return rows

    def batches(self) -> Distribution | None:
        """Return the sizes of all batches; None if there were none."""
        found = self.histograms(BATCH_SIZE)
        return Distribution.total(list(found.values())) if found else None

    def batch_sizes(self) -> list[JsonObject]:
        """Return how many batches there were of each size."""
        sizes = self.batches()
        if sizes is None:
            return []
        bounds = [*map(int, sizes.bounds), None]
        return [{"up_to": bound, "batches": int(n)} for bound, n in zip(bounds, sizes.counts, strict=True)]

    def by_network(self) -> dict[int, JsonObject]:
        """Return the sums of each network that was used."""
        rows: defaultdict[int, JsonObject] = defaultdict(new_network_row)
        for labels, value in self.counters(ACCEPTED).items():
            rows[int(labels[1])]["accepted"] += int(value)
        for labels, value in self.counters(ENDED).items():
            if labels[2] in COLUMNS:
                rows[int(labels[1])][COLUMNS[labels[2]]] += int(value)
        for labels, value in self.counters(LOADS).items():
            rows[int(labels[0])]["loads"] += int(value) if labels[1] == SUCCESS else 0
        for labels, sizes in self.histograms(BATCH_SIZE).items():
            rows[int(labels[0])].update(batches=int(sizes.count), mean_batch_size=_rounded(sizes.mean))
        return rows


def new_network_row() -> JsonObject:
    """Return the figures of a network that was not used."""
    counts = dict.fromkeys(("pending", "accepted", "succeeded", "failed", "batches", "loads"), 0)
    return {**counts, "oldest_seconds": None, "mean_batch_size": None}


def history_answer(buckets: Sequence[Bucket]) -> list[JsonObject]:
    """Return a row for each bucket."""
    return [_bucket_answer(bucket) for bucket in buckets]


@lru_cache(2 * KEPT_SECONDS // BUCKET_SECONDS)  # those that have settled are the same objects each time
def _bucket_answer(bucket: Bucket) -> JsonObject:
    figures = Figures([bucket.readings])
    sizes, seconds = figures.batches(), figures.task_seconds()
    return {
        "date": iso_date(datetime.fromtimestamp(bucket.start, UTC)),
        **figures.tasks(),
        "pending": bucket.pending,
        "oldest_seconds": _rounded(bucket.oldest_seconds),
        "batches": int(sizes.count) if sizes else 0,
        "mean_batch_size": _rounded(sizes.mean) if sizes else None,
        "device_busy_seconds": _rounded(sum(figures.counters(DEVICE_SECONDS).values())),
        "task_milliseconds": _milliseconds(seconds.mean) if seconds else None,
        "stages": {labels[0]: _milliseconds(each.mean) for labels, each in figures.histograms(STAGE_SECONDS).items()},
    }


def _summary(seconds: Distribution) -> tuple[float | None, float | None, float | None]:
    """Return mean, median and 95th percentile in milliseconds."""
    return _milliseconds(seconds.mean), _milliseconds(seconds.quantile(0.5)), _milliseconds(seconds.quantile(0.95))


def _total(values: Iterable[float]) -> int:
    return int(sum(values))


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else _rounded(1000 * seconds)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
