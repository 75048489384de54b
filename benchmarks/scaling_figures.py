"""What the benchmarks of scaling have measured, and how it is shown: one record and one table for each of them."""

from dataclasses import dataclass
from statistics import median

TARGET_RATIO = 0.95  # of the rate with few tasks waiting
TARGET_GROWTH = 0.03
COMPARED_PORTIONS = 5
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Processes:
    """Images per second of one network, by the number of worker processes."""

    network: str
    rates: dict[int, float]


def processes_table(comparisons: list[Processes], clients: int) -> str:
    """Return the figures as Markdown."""
    titles = " | ".join(f"{count} process{'es' * (count > 1)}: images/s" for count in comparisons[0].rates)
    lines = [f"| network, {clients} clients | {titles} | ratio |", "| --- " * (len(comparisons[0].rates) + 2) + "|"]
    for each in comparisons:
        rates = list(each.rates.values())
        cells = " | ".join(f"{rate:.1f}" for rate in rates)
        lines.append(f"| {each.network} | {cells} | **{rates[-1] / rates[0]:.2f}** |")
    return "\n".join(lines)


@dataclass(frozen=True)
class DeepQueue:
    """Tasks per second with ``few`` and with ``depth`` tasks waiting."""

    few: int
    depth: int
    shallow: float
    deep: float

    @property
    def ratio(self) -> float:
        """Deep over shallow."""
        return self.deep / self.shallow


def deep_queue_table(found: DeepQueue) -> str:
    """Return the figures as Markdown."""
    return "\n".join(
        [
            f"| | {found.few} tasks wait: tasks/s | {found.depth:,} tasks wait: tasks/s | ratio | target |",
            "| --- | --- | --- | --- | --- |",
            f"| tiny images, a network that does next to nothing | {found.shallow:.0f} | {found.deep:.0f} "
            f"| **{found.ratio:.2f}** | {TARGET_RATIO} |",
        ]
    )


@dataclass(frozen=True)
class Turns:
    """The hot network beside the twenty: its images per second, and what the others got."""

    hot: float
    hot_p99_milliseconds: float
    others: float
    longest_seconds: float
    loads_per_minute: float


@dataclass(frozen=True)
class ManyNetworks:
    """The hot network alone, beside others that are all in memory, and beside others that take turns."""

    clients: int
    networks: int
    room_for: int
    alone: float
    in_memory: Turns
    in_turns: Turns


def networks_table(found: ManyNetworks) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"| the hot network, {found.clients} clients | images/s | ratio | p99, ms | others, images/s "
        "| their longest, s | loads a minute |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| alone | {found.alone:.1f} | 1.00 | | | | |",
    ]
    beside = f"beside {found.networks} networks in turn"
    for title, turns in (
        (f"{beside}, all in memory", found.in_memory),
        (f"{beside}, room for {found.room_for}", found.in_turns),
    ):
        lines.append(
            f"| {title} | {turns.hot:.1f} | **{turns.hot / found.alone:.2f}** | {turns.hot_p99_milliseconds:.0f} "
            f"| {turns.others:.1f} | {turns.longest_seconds:.1f} | {turns.loads_per_minute:.0f} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True)
class WorkerMemory:
    """Bytes that are the worker's own, after each portion of the images."""

    images: int
    readings: list[int]

    @property
    def first(self) -> float:
        """The memory after the warm-up."""
        return median(self.readings[:COMPARED_PORTIONS])

    @property
    def last(self) -> float:
        """The memory at the end."""
        return median(self.readings[-COMPARED_PORTIONS:])

    @property
    def growth(self) -> float:
        """By what part of itself the memory has grown."""
        return self.last / self.first - 1


def memory_table(found: WorkerMemory) -> str:
    """Return the figures as Markdown."""
    return "\n".join(
        [
            "| images after the warm-up | after a tenth, MiB | at the end, MiB | most, MiB | growth | target |",
            "| --- | --- | --- | --- | --- | --- |",
            f"| {found.images:,} | {found.first / MEBIBYTE:.0f} "
            f"| {found.last / MEBIBYTE:.0f} | {max(found.readings) / MEBIBYTE:.0f} | **{found.growth:.1%}** "
            f"| < {TARGET_GROWTH:.0%} |",
        ]
    )
