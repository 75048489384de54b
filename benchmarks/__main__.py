"""Runs every comparison in one go and writes ``benchmarks/RESULTS.md``: ``make bench``."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import torch

from benchmarks import api_cost, waits
from benchmarks.workload import BUILDERS, write_model_folder
from tests.service import Service, running_service

CLIENTS = 64
RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Comparison:
    """One network through the bare loop and through the service, in the same minute."""

    network: str
    bare: dict[str, Any]
    loaded: dict[str, float]
    lone: dict[str, float]

    @property
    def throughput_ratio(self) -> float:
        """Service over bare loop; 1 means that the service costs nothing."""
        return self.loaded["images_per_second"] / self.bare["images_per_second"]

    @property
    def added_milliseconds(self) -> float:
        """What the service adds to one decode and one forward when nothing else runs."""
        return self.lone["median_milliseconds"] - self.bare["lone_milliseconds"]


def measure(*arguments: object) -> dict[str, Any]:
    """Run a measuring module in a process of its own and return the JSON object that it prints."""
    command = [sys.executable, "-m", *map(str, arguments)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def push(service: Service, folder: Path) -> int:
    """Deploy a model folder and return the ID of its specification."""
    command = [sys.executable, "-m", "cli", "push", str(folder), "--url", service.url, "--key", service.key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    specs = httpx.get(f"{service.url}/v0.7/recognition/specs", headers={"X-API-KEY": service.key}).json()
    spec_id: int = specs["results"][-1]["id"]
    return spec_id


def compare(service: Service, name: str, folder: Path, seconds: float) -> Comparison:
    """Measure one network; the bare loop runs while the service is idle."""
    write_model_folder(BUILDERS[name], folder)
    spec_id = push(service, folder)
    bare = measure("benchmarks.bare_loop", BUILDERS[name], seconds)
    loaded = measure("benchmarks.load", service.url, service.key, spec_id, CLIENTS, 2 * seconds)
    lone = measure("benchmarks.load", service.url, service.key, spec_id, 1, seconds)
    return Comparison(name, bare, loaded, lone)


def table(comparisons: Sequence[Comparison]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| network | bare loop, images/s (batch) | Recoq, images/s | ratio | bare lone, ms | Recoq lone, ms "
        "| added, ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in comparisons:
        lines.append(
            f"| {each.network} | {each.bare['images_per_second']:.1f} ({each.bare['batch_size']}) "
            f"| {each.loaded['images_per_second']:.1f} | **{each.throughput_ratio:.2f}** "
            f"| {each.bare['lone_milliseconds']:.1f} | {each.lone['median_milliseconds']:.1f} "
            f"| **{each.added_milliseconds:.1f}** |"
        )
    return "\n".join(lines)


def report(comparisons: Sequence[Comparison], costs: api_cost.ApiCosts, waiting: waits.WaitFigures) -> str:
    """Return the whole of RESULTS.md."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    return f"""# Results

Written by `make bench`. Client, API, Redis and worker share the machine with each other; absolute figures depend on
it, the ratios are what counts. 640×480 JPEGs posted as multipart files, float32, {CLIENTS} clients for throughput, one
for latency (tight polling).

{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {device}, torch {torch.__version__}.

{table(comparisons)}

- *bare loop*: decode and preparation ahead in one thread, the best of four batch sizes, nothing else.
- *added*: median time from POST to result, less bare decode and forward.

## What a request costs the API

CPU time of the API's process for each request, over real HTTP (`python -m benchmarks.api_cost` measures this alone).

{api_cost.table(costs)}

## What waiting clients cost

`python -m benchmarks.waits` measures this alone: two API processes, tasks that end one by one, a hundred in a second.

{waits.table(waiting)}
"""


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="length of each measurement")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder) / "data") as service:
        comparisons = [compare(service, name, Path(folder) / builder, seconds) for name, builder in BUILDERS.items()]
    costs, waiting = api_cost.measure(), waits.measure()
    RESULTS.write_text(report(comparisons, costs, waiting))
    print(table(comparisons), api_cost.table(costs), waits.table(waiting), sep="\n\n")


if __name__ == "__main__":
    main()
