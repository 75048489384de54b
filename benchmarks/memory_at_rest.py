"""What a worker keeps of a burst: of thousands of damaged images in bulk, and of a few huge ones.

Its own memory is read when it is fresh, at the end of each burst, and after a minute of rest.
"""

import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from PIL import Image

from benchmarks.feeding import Feeder
from benchmarks.idle_network import write_idle_network
from benchmarks.mixed_images import mixed_images
from benchmarks.photos import jpegs
from benchmarks.results import write_section
from benchmarks.speed import push
from benchmarks.worker_memory import worker_process
from config.settings import MEBIBYTE
from tests.service import running_service

DAMAGED_IMAGES = 5_000
HUGE_IMAGES = 16
HUGE_SIDE_PIXELS = 9_000
REST_SECONDS = 60.0
FRESH_TASKS = 50
DISTINCT_IMAGES = 64


@dataclass(frozen=True)
class Burst:
    """The worker's own memory in MiB: after a burst, and after a rest."""

    name: str
    after: float
    rested: float


def measure(folder: Path, rest_seconds: float = REST_SECONDS) -> tuple[float, list[Burst]]:
    """Return the memory of a worker that has run some photos, and what bursts make of it, one after the other."""
    with running_service(folder / "rest") as service:
        spec_id = push(service, write_idle_network(folder / "idle"))
        worker = worker_process(service)
        fed: list[tuple[str, Sequence[bytes], int]] = [
            (f"{DAMAGED_IMAGES:,} damaged images", _damaged(), DAMAGED_IMAGES),
            (f"{HUGE_IMAGES} PNGs of {HUGE_SIDE_PIXELS}×{HUGE_SIDE_PIXELS}", [_huge_png()], HUGE_IMAGES),
        ]
        photos = Feeder.of(service, spec_id, jpegs())
        photos.submit(FRESH_TASKS)
        photos.wait_until_idle()
        time.sleep(1)
        fresh, bursts = _own_mib(worker), []
        for name, images, count in fed:
            feeder = Feeder.of(service, spec_id, images)
            feeder.submit(count)
            feeder.wait_until_idle()
            after = _own_mib(worker)
            time.sleep(rest_seconds)
            bursts.append(Burst(name, after, _own_mib(worker)))
        return fresh, bursts


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the network is its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = table(*measure(Path(folder)))
    write_section("memory-at-rest", "Memory of a worker at rest", figures)
    return figures


def table(fresh: float, bursts: Sequence[Burst]) -> str:
    """Return the figures as Markdown."""
    head = [
        f"A fresh worker, which has run {FRESH_TASKS} photos: {fresh:,.0f} MiB of its own.",
        "",
        f"| burst | at its end, MiB | after {REST_SECONDS:.0f} s of rest | more than fresh |",
        "| --- | --- | --- | --- |",
    ]
    rows = [f"| {each.name} | {each.after:,.0f} | {each.rested:,.0f} | {each.rested - fresh:,.0f} |" for each in bursts]
    return "\n".join([*head, *rows])


def _own_mib(worker: psutil.Process) -> float:
    own: int = worker.memory_full_info().uss
    return own / MEBIBYTE


def _damaged() -> list[bytes]:
    """Return images of which the last third is not there, or is something else."""
    damaged = []
    for index, image in enumerate(mixed_images(DISTINCT_IMAGES)):
        third = len(image) // 3
        damaged.append(image[: 2 * third] + (bytes(third) if index % 2 else b""))
    return damaged


def _huge_png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (HUGE_SIDE_PIXELS, HUGE_SIDE_PIXELS), "teal").save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(table(*measure(Path(place))))
