"""Whether a deep queue slows the workers down: tasks that end in a second with many waiting, over that with few.

As many tasks are kept waiting while it is measured, in both cases by the same loop, so that feeding costs the same.
"""

import io
import tempfile
from pathlib import Path
from statistics import mean

from PIL import Image

from benchmarks.feeding import Feeder
from benchmarks.idle_network import SIDE, write_idle_network
from benchmarks.results import write_section
from benchmarks.scaling_figures import DeepQueue, deep_queue_table
from benchmarks.speed import push
from tests.service import running_service

SHALLOW = 100
DEEP_FOR_EACH_SECOND = 10_000
ROUNDS = 2
WARM_UP_SECONDS = 5.0


def measure(folder: Path, seconds: float) -> DeepQueue:
    """Measure both in turn, on a new service each round; the depth follows the seconds, to 100,000 for ten."""
    depth = int(DEEP_FOR_EACH_SECOND * seconds)
    shallow, deep = [], []
    model = write_idle_network(folder / "nothing")
    for number in range(ROUNDS):
        with running_service(folder / f"deep-{number}") as service:
            feeder = Feeder.of(service, push(service, model), [_tiny_image()])
            feeder.rate_at(SHALLOW, WARM_UP_SECONDS)
            shallow.append(feeder.rate_at(SHALLOW, seconds))
            feeder.submit(depth - feeder.pending())
            feeder.rate_at(depth, WARM_UP_SECONDS)
            deep.append(feeder.rate_at(depth, seconds))
    return DeepQueue(SHALLOW, depth, mean(shallow), mean(deep))


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the network is its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = deep_queue_table(measure(Path(folder), seconds))
    write_section("deep-queue", "Many waiting tasks against few", figures)
    return figures


def _tiny_image() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "teal").save(buffer, "JPEG")
    return buffer.getvalue()
