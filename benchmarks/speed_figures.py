"""What the comparison of speeds has measured, and how it is shown: all figures are medians over turns.

The speed of a shared machine changes by the minute. In each turn, all contenders get the machine one after the other
within a few minutes; what is compared is compared within turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.tuned import GRAPH, MODULES

CLIENTS = (1, 16, 64)
RECOQ, LITSERVE, TUTORIAL = "Recoq", "LitServe", "Flask + Celery"
Figures = dict[str, Any]


@dataclass(frozen=True)
class BareLoop:
    """The bare loop in one form: the time of a lone image, and the images per second by the size of batches."""

    lone_milliseconds: float
    rates: dict[int, float]

    @property
    def best_batch_size(self) -> int:
        """The size of batches at which it was fastest."""
        return max(self.rates, key=lambda size: self.rates[size])

    @property
    def images_per_second(self) -> float:
        """The rate at that size."""
        return self.rates[self.best_batch_size]


@dataclass(frozen=True)
class Turn:
    """One turn: the bare loop by its form, and each contender by its number of clients."""

    bare_loops: dict[str, BareLoop]
    loads: dict[str, dict[int, Figures]]

    def rate(self, contender: str, clients: int) -> float:
        """Return the images per second of a contender."""
        rate: float = self.loads[contender][clients]["images_per_second"]
        return rate

    def ratio(self, contender: str, clients: int, form: str) -> float:
        """Return the images per second of a contender over those of the bare loop in a form."""
        return self.rate(contender, clients) / self.bare_loops[form].images_per_second

    def added_milliseconds(self, form: str) -> float:
        """Return what the service adds to one decode and one forward when nothing else runs."""
        alone: float = self.loads[RECOQ][1]["median_milliseconds"]
        return alone - self.bare_loops[form].lone_milliseconds


@dataclass(frozen=True)
class Deployment:
    """How Recoq runs a network, by the report of the deployment."""

    report: dict[str, Any]

    @property
    def precision(self) -> str:
        """What it computes in."""
        return str(self.report["precision"])

    @property
    def form(self) -> str:
        """Whether it is one graph."""
        return GRAPH if self.report["frozen"] else MODULES

    def __str__(self) -> str:
        order = "NHWC" if self.report["channels_last"] else "NCHW"
        lanes = "side by side" if self.report["side_by_side"] else "one at a time"
        threads = self.report["threads"]
        cores = "all cores" if threads is None else f"{threads} core{'s' * (threads > 1)}"
        return (
            f"{self.form} in {self.precision}, weights in {order} order, batches of up to "
            f"{self.report['max_batch_size']} {lanes}, {cores} for a lone image"
        )


@dataclass(frozen=True)
class Comparison:
    """One network in all turns.

    ``deployed`` tells how all contenders run the network, because the deployment of Recoq chose it; ``sweeps`` are the
    bare loop in each form and in batches of all sizes, measured once. Turns measure it at its best size.
    """

    network: str
    deployed: Deployment
    sweeps: dict[str, BareLoop]
    turns: list[Turn]

    @property
    def form(self) -> str:
        """The form in which all contenders run the network."""
        return self.deployed.form

    def over_turns(self, figure: Callable[[Turn], float]) -> list[float]:
        """Return a figure of each turn, the smallest first."""
        return sorted(map(figure, self.turns))

    @property
    def stages(self) -> dict[int, dict[str, float]]:
        """Where the time of Recoq's tasks went, by the number of clients: mean milliseconds by stage."""
        return {
            clients: {
                stage: median(turn.loads[RECOQ][clients]["stages"][stage] for turn in self.turns)
                for stage in self.turns[0].loads[RECOQ][clients]["stages"]
            }
            for clients in CLIENTS
        }

    @property
    def loads(self) -> dict[str, dict[int, dict[str, float]]]:
        """Each contender's images per second and times, by the number of clients."""
        figures = ("images_per_second", "median_milliseconds", "p99_milliseconds")
        return {
            contender: {
                clients: {name: median(turn.loads[contender][clients][name] for turn in self.turns) for name in figures}
                for clients in CLIENTS
            }
            for contender in self.turns[0].loads
        }


def targets_table(comparisons: list[Comparison]) -> str:
    """Return the ratios that matter as Markdown, with the least and the greatest of all turns."""
    most = CLIENTS[-1]
    lines = [
        "| network | Recoq / bare loop of modules | Recoq / bare loop in the form that the service runs "
        "| Recoq / LitServe in the same form | lone request, added ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in comparisons:
        cells = [
            _spread(each.over_turns(lambda turn: turn.ratio(RECOQ, most, MODULES)), 2),
            f"{_spread(each.over_turns(lambda turn, form=each.form: turn.ratio(RECOQ, most, form)), 2)}, {each.form}",
            _spread(each.over_turns(lambda turn: turn.rate(RECOQ, most) / turn.rate(LITSERVE, most)), 2),
            _spread(each.over_turns(lambda turn, form=each.form: turn.added_milliseconds(form)), 1),
        ]
        lines.append(f"| {each.network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def contenders_table(comparisons: list[Comparison]) -> str:
    """Return the images per second and the times of all as Markdown."""
    head = " | ".join(f"{clients} client{'s' * (clients > 1)}: img/s · ratio · median, p99 ms" for clients in CLIENTS)
    lines = [f"| network | what | {head} |", "| --- " * (2 + len(CLIENTS)) + "|"]
    for each in comparisons:
        lines += [_bare_line(each, form) for form in each.sweeps]
        lines += [
            f"| | {contender} | {' | '.join(_load_cell(each, contender, clients) for clients in CLIENTS)} |"
            for contender in each.loads
        ]
    return "\n".join(lines)


def _bare_line(each: Comparison, form: str) -> str:
    bare_loops = [turn.bare_loops[form] for turn in each.turns]
    rate = median(bare.images_per_second for bare in bare_loops)
    ratio = median(
        turn.bare_loops[form].images_per_second / turn.bare_loops[each.form].images_per_second for turn in each.turns
    )
    lone = median(bare.lone_milliseconds for bare in bare_loops)
    what = f"bare loop of {form}, batches of {each.sweeps[form].best_batch_size}"
    network = f"{each.network}, {each.deployed.precision}"
    return f"| {network} | {what} | lone: {lone:.1f} ms | | {rate:.1f} · **{ratio:.2f}** |"


def _load_cell(each: Comparison, contender: str, clients: int) -> str:
    load = each.loads[contender][clients]
    ratio = median(turn.ratio(contender, clients, each.form) for turn in each.turns)
    times = f"{load['median_milliseconds']:.0f}, {load['p99_milliseconds']:.0f}"
    return f"{load['images_per_second']:.1f} · **{ratio:.2f}** · {times}"


def _spread(values: list[float], digits: int) -> str:
    return f"**{median(values):.{digits}f}** ({values[0]:.{digits}f} to {values[-1]:.{digits}f})"
