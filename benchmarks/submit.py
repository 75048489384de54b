"""Whether ``recoq submit`` keeps a service as busy as the load generator of ``make bench`` does.

``python -m benchmarks submit`` runs the two in turn, on the same service in the same minutes, with as many images
under way; the ratio is what counts. Both speak from the machine that also serves, so what a client costs is felt.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.photos import jpegs
from benchmarks.results import write_section
from benchmarks.speed import measure, push
from benchmarks.workload import BUILDERS, write_model_folder
from tests.service import Service, running_service

ROUNDS = 2
CLIENTS = 64


@dataclass(frozen=True)
class SubmitComparison:
    """Images per second of one network, under the load generator and under ``recoq submit``."""

    network: str
    loaded: float
    submitted: float

    @property
    def ratio(self) -> float:
        """Submit over load generator."""
        return self.submitted / self.loaded


def compare(service: Service, name: str, folder: Path, seconds: float) -> SubmitComparison:
    """Measure both in turn; one submission takes about ``seconds``."""
    write_model_folder(BUILDERS[name], folder / "model")
    spec_id = push(service, folder / "model")
    loaded, submitted = [], []
    for number in range(ROUNDS):
        load = measure("benchmarks.load", service.url, service.key, spec_id, CLIENTS, seconds)
        loaded.append(load["images_per_second"])
        images = write_images(folder / f"round-{number}", int(seconds * loaded[-1]))
        submitted.append(submit(service, spec_id, images)["images_per_second"])
    return SubmitComparison(name, statistics.mean(loaded), statistics.mean(submitted))


def write_images(folder: Path, count: int) -> Path:
    """Write ``count`` files with the images that the load generator sends, and return their folder."""
    folder.mkdir()
    images = jpegs()
    for number, image in enumerate(images[:count]):
        (folder / f"{number}.jpg").write_bytes(image)
    for number in range(len(images), count):
        (folder / f"{number}.jpg").hardlink_to(folder / f"{number % len(images)}.jpg")
    return folder


def submit(service: Service, spec_id: int, images: Path) -> dict[str, Any]:
    """Submit a folder and return the summary."""
    command = [sys.executable, "-m", "cli", "submit", str(spec_id), str(images), "--concurrency", str(CLIENTS)]
    command += ["-o", str(images.with_suffix(".jsonl")), "--json", "--url", service.url, "--key", service.key]
    summary: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return summary


def table(comparisons: list[SubmitComparison]) -> str:
    """Return the figures as Markdown."""
    lines = ["| network | load generator, images/s | recoq submit, images/s | ratio |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {each.network} | {each.loaded:.1f} | {each.submitted:.1f} | **{each.ratio:.2f}** |" for each in comparisons
    ]
    return "\n".join(lines)


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures."""
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder) / "data") as service:
        comparisons = [compare(service, name, Path(folder) / BUILDERS[name], seconds) for name in networks]
    body = f"{CLIENTS} images under way. The load generator is that of the other sections.\n\n{table(comparisons)}"
    write_section("submit", "`recoq submit` against the load generator", body)
    return table(comparisons)
