"""What a second worker process on the same device brings: images per second with two, over those with one."""

import tempfile
from pathlib import Path

from benchmarks.results import write_section
from benchmarks.scaling_figures import Processes, processes_table
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
    with tempfile.TemporaryDirectory() as folder:
        comparisons = [compare_processes(Path(folder), each, seconds) for each in networks]
    figures = processes_table(comparisons, CLIENTS)
    write_section("processes", "One worker process against two", figures)
    return figures
