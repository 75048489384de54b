"""Whether a worker grows: its own memory over many images of many sizes and formats, once it is warm.

It is read between portions of the images, when nothing is under way, so that what is being decoded does not count.
"""

import tempfile
from pathlib import Path

import psutil

from benchmarks.feeding import Feeder
from benchmarks.idle_network import write_idle_network
from benchmarks.mixed_images import mixed_images
from benchmarks.results import write_section
from benchmarks.scaling_figures import WorkerMemory, memory_table
from benchmarks.speed import push
from tests.service import Service, running_service

IMAGES_FOR_EACH_SECOND = 5_000
WARM_UP_IMAGES = 5_000  # by then each thread has had its largest images, and the allocator keeps room for them
PORTIONS = 50
DISTINCT_IMAGES = 128


def measure(folder: Path, seconds: float) -> WorkerMemory:
    """Run the images through a service; how many follows the seconds, to 50,000 for ten after the warm-up."""
    images = mixed_images(DISTINCT_IMAGES)
    portion = max(1, int(IMAGES_FOR_EACH_SECOND * seconds) // PORTIONS)
    readings = []
    with running_service(folder / "memory") as service:
        feeder = Feeder.of(service, push(service, write_idle_network(folder / "idle")), images)
        worker = worker_process(service)
        feeder.submit(WARM_UP_IMAGES)
        feeder.wait_until_idle()
        for _ in range(PORTIONS):
            feeder.submit(portion)
            feeder.wait_until_idle()
            readings.append(worker.memory_full_info().uss)
    return WorkerMemory(portion * PORTIONS, readings)


def worker_process(service: Service) -> psutil.Process:
    """Return the service's only worker process."""
    processes = psutil.Process(service.process.pid).children(recursive=True)
    [worker] = [each for each in processes if "workers.main" in each.cmdline()]
    return worker


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the network is its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = memory_table(measure(Path(folder), seconds))
    write_section("worker-memory", "Memory of a worker", figures)
    return figures
