"""Draws the plots of the results as PNG files, the same bytes for the same figures."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.rcParams.update({"font.size": 10, "axes.grid": True})
matplotlib.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})

PANEL_INCHES = (4.8, 3.6)
DOTS_PER_INCH = 130
Loads = Mapping[int, Mapping[str, float]]


def plot_throughput(rates: Mapping[str, Mapping[int, float]], folder: Path) -> None:
    """Draw images per second against the batch size of the bare loop, a panel for each network."""
    figure, panels = _panels(list(rates))
    for panel, by_size in zip(panels, rates.values(), strict=True):
        sizes = list(by_size)
        panel.plot(sizes, list(by_size.values()), marker="o", color="tab:blue")
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.set_ylim(bottom=0)
        panel.set_xlabel("images in a batch")
    panels[0].set_ylabel("images/s, bare loop")
    _save(figure, folder / "throughput.png")


def plot_latency(networks: Mapping[str, Mapping[str, Loads]], folder: Path) -> None:
    """Draw median time against images per second, a point for each number of clients, a panel for each network."""
    figure, panels = _panels(list(networks))
    for panel, contenders in zip(panels, networks.values(), strict=True):
        for contender, loads in contenders.items():
            rates = [load["images_per_second"] for load in loads.values()]
            times = [load["median_milliseconds"] for load in loads.values()]
            panel.plot(rates, times, marker="o", label=contender)
            for clients, rate, time in zip(loads, rates, times, strict=True):
                panel.annotate(str(clients), (rate, time), textcoords="offset points", xytext=(4, 4), fontsize=8)
        panel.set_yscale("log")
        panel.set_xlim(left=0)
        panel.set_xlabel("images/s (points: number of clients)")
        panel.legend(frameon=False)
    panels[0].set_ylabel("median time to result, ms")
    _save(figure, folder / "latency.png")


def plot_stages(networks: Mapping[str, Mapping[int, Mapping[str, float]]], folder: Path) -> None:
    """Draw where the time of a task goes, as shares: a bar for each number of clients, a panel for each network."""
    figure, panels = _panels(list(networks))
    for panel, by_clients in zip(panels, networks.values(), strict=True):
        names = [f"{clients} client{'s' * (clients > 1)}" for clients in by_clients]
        totals = [sum(stages.values()) for stages in by_clients.values()]
        left = [0.0] * len(names)
        for colour, stage in enumerate(next(iter(by_clients.values()))):
            shares = [100 * each[stage] / total for each, total in zip(by_clients.values(), totals, strict=True)]
            panel.barh(names, shares, left=left, label=stage.replace("_", " "), color=f"C{colour}")
            left = [start + share for start, share in zip(left, shares, strict=True)]
        for name, total in zip(names, totals, strict=True):
            panel.annotate(f"{total:.0f} ms", (100, name), textcoords="offset points", xytext=(4, -3), fontsize=8)
        panel.set_xlim(0, 115)
        panel.set_xlabel("% of the mean time from POST to result")
        panel.invert_yaxis()
    panels[0].legend(frameon=False, ncols=3, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    _save(figure, folder / "stages.png")


def _panels(titles: list[str]) -> tuple[Figure, list[Axes]]:
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(titles), height))  # by itself, without a window or pyplot's list of figures
    panels = figure.subplots(1, len(titles), squeeze=False)
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title)
    return figure, list(panels[0])


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
