"""How long a request waits for a network when another one has to leave first: three in turn, in a cache for one.

The worker is idle, and nothing else is asked for: what a request takes beyond the load itself is the wait for room.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import httpx
import torch

from benchmarks.idle_network import write_idle_network
from benchmarks.many_networks import ask, publish
from benchmarks.photos import jpegs
from benchmarks.results import write_section
from tests.service import Service, running_service

NETWORKS = 3
VALUES = 11_700_000
ROUNDS = 4
REPORTED_SECONDS = 2.0  # by then, what has happened has been reported


@dataclass(frozen=True)
class Swaps:
    """What each request took, in which another network had to leave, and the mean of the loads; in seconds."""

    seconds: Sequence[float]
    load_seconds: float


def measure(folder: Path) -> Swaps:
    """Deploy the networks where all fit, and ask them in turn where one does."""
    models = [_write_model(folder / f"network-{number}") for number in range(NETWORKS)]
    nbytes = 4 * VALUES
    with running_service(folder / "swaps", RECOQ_CACHE_BYTES=str(2 * NETWORKS * nbytes)) as service:
        for model in models:
            publish(service, model)
    with running_service(folder / "swaps", RECOQ_CACHE_BYTES=str(3 * nbytes // 2)) as service:
        slugs = [model.name for model in models]
        asyncio.run(_in_turn(service, slugs, 1))
        before = _loads(service)
        seconds = asyncio.run(_in_turn(service, slugs, ROUNDS))
        count, total = (later - earlier for later, earlier in zip(_loads(service), before, strict=True))
    return Swaps(seconds, total / count)


class _Heavy(torch.nn.Module):
    """A network whose weights take as much as those of ResNet-18, and which does next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.rand(VALUES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) + self.weights[:3]


def _write_model(folder: Path) -> Path:
    write_idle_network(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and is deployed in a moment
        torch.jit.script(_Heavy()).save(str(folder / "model.torchscript"))
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**model, "name": folder.name}))
    return folder


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the networks are its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = table(measure(Path(folder)))
    write_section("network-swaps", "Networks in turn in a cache for one", figures)
    return figures


def table(swaps: Swaps) -> str:
    """Return the figures as Markdown."""
    return (
        f"{len(swaps.seconds)} lone requests to {NETWORKS} networks of 11.7 million weights in turn, room for one: "
        f"{median(swaps.seconds):.2f} s in the median, {max(swaps.seconds):.2f} s at most; "
        f"a load alone takes {swaps.load_seconds:.2f} s in the mean."
    )


async def _in_turn(service: Service, slugs: Sequence[str], rounds: int) -> list[float]:
    image, taken = jpegs()[0], []
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(service.url, headers={"X-API-KEY": service.key}, timeout=timeout) as session:
        for slug in list(slugs) * rounds:
            begun = time.monotonic()
            await ask(session, slug, image)
            taken.append(time.monotonic() - begun)
    return taken


def _loads(service: Service) -> tuple[float, float]:
    """Return the number of loads so far, and their seconds."""
    time.sleep(REPORTED_SECONDS)
    text = httpx.get(f"{service.url}/metrics", headers={"X-API-KEY": service.key}).raise_for_status().text
    counts = re.findall(r'^recoq_network_loads_total\{.*outcome="success".*\} (\S+)$', text, re.MULTILINE)
    [seconds] = re.findall(r"^recoq_network_load_seconds_total (\S+)$", text, re.MULTILINE)
    return sum(map(float, counts)), float(seconds)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(table(measure(Path(place))) + "\n")
