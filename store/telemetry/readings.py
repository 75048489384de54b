"""Reads counters and histograms back from the fields in which they are stored."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from store.telemetry.series import Counter, Histogram
from store.telemetry.tally import PART, SEPARATOR, SUM

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Distribution:
    """What a histogram has counted.

    ``counts`` has one number more than ``bounds``: the values above the last bound.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float

    @property
    def count(self) -> float:
        """How many values there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """The mean of the values, or None if there were none."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return about the value below which ``share`` of the values lie, or None if there were none.

        Values are taken as evenly spread within their bounds; those above the last bound as equal to it.
        """
        rank, below, lower = share * self.count, 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and below + count >= rank:
                return lower + (bound - lower) * (rank - below) / count
            below, lower = below + count, bound
        return self.bounds[-1] if self.count else None

    @staticmethod
    def total(parts: Sequence["Distribution"]) -> "Distribution":
        """Return what histograms of the same bounds, one at least, have counted together."""
        columns = zip(*(part.counts for part in parts), strict=True)
        return Distribution(parts[0].bounds, tuple(map(sum, columns)), sum(part.sum for part in parts))


class Readings:
    """The values of all counters and histograms, in total or in one span of time."""

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        self._values: defaultdict[str, dict[Labels, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        for field, value in fields.items():
            key, _, part = field.decode().partition(PART)
            name, *labels = key.split(SEPARATOR)
            self._values[name][tuple(labels)][part] = float(value)
        self._histograms: dict[str, dict[Labels, Distribution]] = {}

    def counter(self, counter: Counter) -> dict[Labels, float]:
        """Return the values of a counter by its labels."""
        return {labels: parts[""] for labels, parts in self._values.get(counter.name, {}).items()}

    def histogram(self, histogram: Histogram) -> dict[Labels, Distribution]:
        """Return what a histogram has counted, by its labels."""
        if histogram.name not in self._histograms:
            self._histograms[histogram.name] = dict(self._distributions(histogram))
        return self._histograms[histogram.name]

    def _distributions(self, histogram: Histogram) -> Iterator[tuple[Labels, Distribution]]:
        for labels, parts in self._values.get(histogram.name, {}).items():
            counts = tuple(parts.get(str(index), 0.0) for index in range(len(histogram.bounds) + 1))
            yield labels, Distribution(histogram.bounds, counts, parts.get(SUM, 0.0))
