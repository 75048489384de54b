"""Throughput and latency of Recoq, LitServe, and Flask with Celery, against a bare loop, in one run.

All get the same images from the same load generator, on the same machine in the same minutes, one after the other and
in several turns, with the same network in the same precision.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.bare_loop import BATCH_SIZES
from benchmarks.contenders.running import flask_celery, litserve
from benchmarks.plots import plot_latency, plot_stages, plot_throughput
from benchmarks.results import write_section
from benchmarks.speed_figures import (
    CLIENTS,
    LITSERVE,
    RECOQ,
    TUTORIAL,
    BareLoop,
    Comparison,
    Deployment,
    Figures,
    Turn,
    contenders_table,
    targets_table,
)
from benchmarks.tuned import MODULES
from benchmarks.workload import BUILDERS, write_model_folder
from cli.worker_environment import HEAP
from config.settings import child_environment
from tests.service import Service, running_service

TURNS = 3
FOLDER = Path(__file__).parent


def measure(*arguments: object) -> dict[str, Any]:
    """Run a measuring module in a process of its own and return the JSON object that it prints."""
    command = [sys.executable, "-m", *map(str, arguments)]
    ended = subprocess.run(command, check=True, env=child_environment(HEAP), stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def push(service: Service, folder: Path) -> int:
    """Deploy a model folder and return the ID of its specification."""
    command = [sys.executable, "-m", "cli", "push", str(folder), "--url", service.url, "--key", service.key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    specs = httpx.get(f"{service.url}/v0.7/recognition/specs", headers={"X-API-KEY": service.key}).json()
    spec_id: int = specs["results"][-1]["id"]
    return spec_id


def deployment_of(service: Service, spec_id: int) -> Deployment:
    """Return what the deployment of a specification's network has chosen."""
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}) as client:
        version = client.get("/recognition/versions").raise_for_status().json()["results"][-1]
        assert version["spec_id"] == spec_id
        network = client.get(f"/networks/{version['network_id']}").raise_for_status().json()
        return Deployment(client.get(f"/tasks/{network['task_id']}").raise_for_status().json()["data"])


def compare(name: str, folder: Path, seconds: float) -> Comparison:
    """Measure one network in all ways, each with the machine to itself."""
    builder = BUILDERS[name]
    folder.mkdir()
    write_model_folder(builder, folder / "model")
    with running_service(folder / "data") as service:
        spec_id = push(service, folder / "model")
        deployed = deployment_of(service, spec_id)
    forms = dict.fromkeys((deployed.form, MODULES))
    sweeps = {form: _bare_loop(builder, deployed.precision, form, seconds) for form in forms}
    comparison = Comparison(name, deployed, sweeps, [])
    comparison.turns.extend(_turn(comparison, spec_id, folder, seconds) for _ in range(TURNS))
    return comparison


def _turn(comparison: Comparison, spec_id: int, folder: Path, seconds: float) -> Turn:
    """Measure all once; next to each other what is compared: many clients here and there, lone images here and bare."""
    builder, precision, form = BUILDERS[comparison.network], comparison.deployed.precision, comparison.form
    with litserve(builder, precision, form, comparison.sweeps[form].best_batch_size, folder) as url:
        synchronous = _loads("synchronous", (url, "none", 0), seconds, CLIENTS)
    with running_service(folder / "data") as service:
        recoq = _loads("waiting", (service.url, service.key, spec_id), seconds, CLIENTS[::-1])
    bare_loops = {
        each: _bare_loop(builder, precision, each, seconds, [sweep.best_batch_size])
        for each, sweep in comparison.sweeps.items()
    }
    with flask_celery(builder, precision, form, folder) as url:
        tutorial = _loads("tutorial", (url, "none", 0), seconds, CLIENTS)
    return Turn(bare_loops, {RECOQ: recoq, LITSERVE: synchronous, TUTORIAL: tutorial})


def _bare_loop(
    builder: str, precision: str, form: str, seconds: float, batch_sizes: Sequence[int] = BATCH_SIZES
) -> BareLoop:
    found = measure("benchmarks.bare_loop", builder, precision, form, seconds, *batch_sizes)
    return BareLoop(found["lone_milliseconds"], {int(size): rate for size, rate in found["images_per_second"].items()})


def _loads(
    protocol: str, target: tuple[str, str, int], seconds: float, numbers_of_clients: Sequence[int]
) -> dict[int, Figures]:
    """Measure one contender; ``target`` is its URL, the key, and the specification."""
    return {
        clients: measure("benchmarks.load", *target, clients, seconds, "--protocol", protocol)
        for clients in numbers_of_clients
    }


NOTES = """
- *bare loop*: the tuned network of `benchmarks/tuned.py`, images decoded ahead in one thread, the best of six batch
  sizes; of modules, as PyTorch is usually run, and, where the deployment of Recoq chose to freeze them, of one graph.
- *LitServe*: the same tuned network in the same form and batch size, in one worker that spreads each batch over all
  cores, as the bare loop does and as is its default; its answer is the response to the request. On a CPU, Recoq finds
  out by itself whether batches side by side are faster (decision 15).
- *Recoq*: each client sends an image with `Prefer: wait`, so that the answer comes when the task ends.
- *Flask + Celery*: the same tuned network in the same form, one Celery task for each image, a worker process for each
  core, Redis as the result backend; clients poll, which is what there is.
- All keep the memory of a batch for the next one, as a worker does (decision 22).
- *ratio*: images per second over those of the bare loop in the form that the contenders run. *Added*: median time from
  POST to result, less bare decode and forward in that form.
- All figures are medians over turns; in a turn, each gets the machine to itself, one after the other, and what is
  compared is compared within the turn, because the speed of a shared machine changes by the minute. In brackets the
  least and the greatest of all turns. The best batch size is looked for once.
"""


PLOTS = {
    "throughput": "Throughput against batch size",
    "latency": "Latency against load",
    "stages": "Where the time of a task goes",
}


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section with its plots, and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        comparisons = [compare(name, Path(folder) / BUILDERS[name], seconds) for name in networks]
    sweeps = {f"{each.network}, {form}": bare.rates for each in comparisons for form, bare in each.sweeps.items()}
    plot_throughput(sweeps, FOLDER)
    plot_latency({each.network: each.loads for each in comparisons}, FOLDER)
    plot_stages({each.network: each.stages for each in comparisons}, FOLDER)
    plans = "\n".join(f"- {each.network} was deployed as: {each.deployed}." for each in comparisons)
    figures = f"{targets_table(comparisons)}\n\n{contenders_table(comparisons)}\n\n{plans}"
    plots = "\n\n".join(f"![{title}]({name}.png)" for name, title in PLOTS.items())
    body = f"640×480 JPEGs posted as multipart files.\n\n{figures}\n{NOTES}\n{plots}"
    write_section("speed", "Speed against a bare loop, LitServe, and Flask with Celery", body)
    return figures
