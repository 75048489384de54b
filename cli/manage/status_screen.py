"""Draws what ``recoq status`` shows: the service's own figures on one screen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

Json = dict[str, Any]

BARS = " ▁▂▃▄▅▆▇█"
LONGEST_CHART = 60
ROWS_SHOWN = 8
ERRORS_SHOWN = 5
GIBIBYTE = 2**30


def draw_status(operations: Json) -> RenderableType:
    """Return the screen for an answer of ``/operations``."""
    parts: list[RenderableType] = [*_losses(operations), _work(operations), ""]
    if operations["workers"]:
        parts += [_workers(operations["workers"], _moment(operations["date"])), *_unconfined(operations["workers"]), ""]
    else:
        parts += ["[red bold]No worker is running[/]: tasks wait until one starts.", ""]
    if networks := [each for each in operations["networks"] if each["accepted"] or each["pending"]]:
        parts += [_networks(networks), ""]
    if operations["errors"]:
        parts.append(_errors(operations["errors"]))
    return Group(*parts)


def _losses(operations: Json) -> list[RenderableType]:
    """Return a line for each time that the task ledger was lost."""
    lines: list[RenderableType] = []
    for loss in operations.get("ledger_losses", ()):
        tasks = "" if loss["tasks"] is None else f", {loss['tasks']} of them not ended"
        which = "all" if loss["kind"] == "emptied" else "some"
        lines.append(f"[red bold]lost tasks[/] {loss['date']}: {which} with IDs up to {loss['last_id']}{tasks}")
    return [*lines, ""] if lines else []


def _work(operations: Json) -> Table:
    totals, pending = operations["totals"], operations["pending"]
    times = totals["task_milliseconds"]
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    age = "" if pending["oldest_seconds"] is None else f", the oldest for {_seconds(pending['oldest_seconds'])}"
    table.add_row("waiting or running", f"[bold]{pending['count']}[/]{age}")
    failed = f"[red]{totals['failed']} failed[/]" if totals["failed"] else "none failed"
    minutes = f"last {operations['minutes']} min"
    table.add_row(minutes, f"{totals['accepted']} accepted, [green]{totals['succeeded']} succeeded[/], {failed}")
    if times["median"] is not None:
        table.add_row("task time", f"median {times['median']:.0f} ms, 95 % within {times['p95']:.0f} ms")
    rates = _rates(operations)
    if rates:
        table.add_row("tasks a second", f"[bold]{rates[-1]:.1f}[/]  {_chart(rates[-LONGEST_CHART:])}")
    return table


def _rates(operations: Json) -> list[float]:
    """Return ended tasks a second in each bucket, without the last one, which is not full yet."""
    seconds = operations["bucket_seconds"]
    return [(bucket["succeeded"] + bucket["failed"]) / seconds for bucket in operations["history"][:-1]]


def _chart(values: Sequence[float]) -> str:
    highest = max(values) or 1.0
    return "".join(BARS[round(value / highest * (len(BARS) - 1))] for value in values)


def _workers(workers: Iterable[Json], now: datetime) -> Table:
    table = _titled("worker", "device", "memory, GiB", "tasks", "busy", "loaded networks", "seen")
    for worker in workers:
        memory = f"{worker['memory_used_bytes'] / GIBIBYTE:.1f} of {worker['memory_total_bytes'] / GIBIBYTE:.1f}"
        table.add_row(
            escape(worker["worker"]),
            escape(worker["device"]),
            memory,
            f"{worker['tasks']} of {worker['threads']}",
            f"{worker['busy_share']:.0%}",
            escape(", ".join(map(_name, worker["networks"]))),
            f"{_seconds((now - _moment(worker['date_seen'])).total_seconds())} ago",
        )
    return table


def _unconfined(workers: Iterable[Json]) -> list[RenderableType]:
    """Return a line for each reason why workers are not fully confined by the kernel, with their number."""
    reasons = Counter(worker["sandbox_missing"] for worker in workers if worker["sandbox_missing"])
    return [f"[yellow]not fully confined, {count} ×[/] {escape(reason)}" for reason, count in reasons.items()]


def _networks(networks: Sequence[Json]) -> Table:
    table = _titled("network", "waiting", "succeeded", "failed", "mean batch", "loads")
    busiest = sorted(networks, key=lambda network: network["pending"] + network["accepted"], reverse=True)
    for network in busiest[:ROWS_SHOWN]:
        batch = network["mean_batch_size"]
        table.add_row(
            escape(_name(network["network"])),
            str(network["pending"]),
            str(network["succeeded"]),
            f"[red]{network['failed']}[/]" if network["failed"] else "0",
            "" if batch is None else f"{batch:.1f}",
            str(network["loads"]),
        )
    return table


def _errors(errors: Sequence[Json]) -> Table:
    table = _titled("errors", "", "network", "latest task")
    for error in errors[:ERRORS_SHOWN]:
        network = escape(_name(error["network"]))
        table.add_row(f"[red]{error['count']} ×[/]", escape(error["sentence"]), network, escape(error["task_id"]))
    return table


def _titled(*columns: str) -> Table:
    return Table(*columns, box=None, padding=(0, 3, 0, 0), header_style="bold")


def _name(network: Json) -> str:
    if network["name"] is None:
        return "deleted network"
    return str(network["id"]) if isinstance(network["id"], str) else f"{network['name']} ({network['id']})"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
