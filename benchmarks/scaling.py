"""How the service holds up when there is more of everything: processes, waiting tasks, networks, images.

``python -m benchmarks scaling`` writes all four. Each is a ratio within one run; with ``--seconds`` below ten, the
queue is less deep and the images are fewer, in proportion.
"""

import tempfile
from pathlib import Path

from benchmarks import deep_queue, many_networks, worker_memory
from benchmarks.results import write_section
from benchmarks.scaling_figures import (
    Processes,
    deep_queue_table,
    memory_table,
    networks_table,
    processes_table,
)
from benchmarks.speed import measure, push
from benchmarks.workload import BUILDERS, write_model_folder
from tests.service import running_service

CLIENTS = 64
PROCESSES = (1, 2)


def compare_processes(folder: Path, network: str, seconds: float) -> Processes:
    """Measure a network on one service after the other, each with its number of worker processes."""
    model, rates, spec_id = folder / BUILDERS[network], dict[int, float](), None
    write_model_folder(BUILDERS[network], model)
    for count in PROCESSES:
        with running_service(folder / f"data-{model.name}", RECOQ_WORKER_PROCESSES=str(count)) as service:
            spec_id = spec_id or push(service, model)
            load = measure("benchmarks.load", service.url, service.key, spec_id, CLIENTS, seconds)
            rates[count] = load["images_per_second"]
    return Processes(network, rates)


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = {
            "Worker processes": processes_table(
                [compare_processes(folder, each, seconds) for each in networks], CLIENTS
            ),
            "Deep queues": deep_queue_table(deep_queue.measure(folder, seconds)),
            "Many networks": networks_table(many_networks.measure(folder, seconds)),
            "Memory of a worker": memory_table(worker_memory.measure(folder, seconds)),
        }
    body = "\n\n".join(f"**{title}.**\n\n{table}" for title, table in parts.items())
    write_section("scaling", "More processes, tasks, networks and images", body)
    return body
