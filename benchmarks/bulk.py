"""What a bulk request costs the API: 256 images in one multipart request, against 256 requests.

``python -m benchmarks.bulk`` runs Redis and an API of one process; only the API's CPU time is counted, as the
operating system accounts it. The two take turns.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.api_cost import RunningApi, running_api
from benchmarks.photos import IMAGE_COUNT, jpegs
from benchmarks.results import write_section

ITEMS = 256
TURNS = 5
TARGET_RATIO = 0.6


@dataclass(frozen=True)
class BulkCosts:
    """CPU milliseconds of the API for each image."""

    single_milliseconds: float
    bulk_milliseconds: float

    @property
    def ratio(self) -> float:
        """A bulk request over as many single ones."""
        return self.bulk_milliseconds / self.single_milliseconds


def measure() -> BulkCosts:
    """Start an API process and measure it."""
    images = jpegs() * (ITEMS // IMAGE_COUNT)
    with tempfile.TemporaryDirectory() as folder, running_api(Path(folder), specs=1) as api:
        _send_one_by_one(api, images)
        _send_in_bulk(api, images)
        single = bulk = 0.0
        for _ in range(TURNS):
            single += _cpu_seconds(api.workers[0], lambda: _send_one_by_one(api, images))
            bulk += _cpu_seconds(api.workers[0], lambda: _send_in_bulk(api, images))
    return BulkCosts(1000 * single / TURNS / ITEMS, 1000 * bulk / TURNS / ITEMS)


def _send_one_by_one(api: RunningApi, images: list[bytes]) -> None:
    for image in images:
        files = {"inputs[0]image.source": ("image.jpg", image)}
        api.client.post(f"/recognition/specs/{api.spec_id}/inference", files=files).raise_for_status()


def _send_in_bulk(api: RunningApi, images: list[bytes]) -> None:
    files = {f"items[{index}]inputs[0]image.source": ("image.jpg", image) for index, image in enumerate(images)}
    answer = api.client.post(f"/recognition/specs/{api.spec_id}/inference/bulk", files=files).raise_for_status().json()
    assert all("task_id" in task for task in answer["tasks"])


def _cpu_seconds(process: psutil.Process, send: Callable[[], None]) -> float:
    before = process.cpu_times()
    send()
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def table(costs: BulkCosts) -> str:
    """Return the figures as Markdown."""
    return "\n".join(
        [
            "| CPU of the API for each image, ms | one by one | in bulk | ratio | target |",
            "| --- | --- | --- | --- | --- |",
            f"| {ITEMS} JPEGs | {costs.single_milliseconds:.2f} | {costs.bulk_milliseconds:.2f} "
            f"| **{costs.ratio:.2f}** | {TARGET_RATIO:g} |",
        ]
    )


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; how many images is fixed."""
    figures = table(measure())
    write_section("bulk", "What many images in one request cost the API", figures)
    return figures


if __name__ == "__main__":
    print(table(measure()))
