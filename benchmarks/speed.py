"""Throughput and latency of Recoq, LitServe, and Flask with Celery, against a bare loop, in one run.

All get the same images from the same load generator, on the same machine in the same minutes, one after the other, with
the same network in the same precision.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contenders.running import flask_celery, litserve
from benchmarks.plots import plot_latency, plot_stages, plot_throughput
from benchmarks.results import write_section
from benchmarks.tuned import GRAPH, MODULES
from benchmarks.workload import BUILDERS, write_model_folder
from tests.service import Service, running_service

CLIENTS = (1, 16, 64)
RECOQ, LITSERVE, TUTORIAL = "Recoq", "LitServe", "Flask + Celery"
FOLDER = Path(__file__).parent
Loads = dict[int, dict[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """One network: the bare loop in the forms that were tried, and each contender under each number of clients.

    ``form`` is that in which all contenders run the network, because the deployment of Recoq chose it.
    """

    network: str
    precision: str
    form: str
    bare_loops: dict[str, dict[str, Any]]
    loads: dict[str, Loads]

    @property
    def bare(self) -> dict[str, Any]:
        """The bare loop in the form that all contenders run."""
        return self.bare_loops[self.form]

    def ratio(self, contender: str, clients: int, form: str | None = None) -> float:
        """Return the images per second of a contender over those of the bare loop, if asked in another form."""
        bare = self.bare_loops[form or self.form]
        rate: float = self.loads[contender][clients]["images_per_second"] / bare["images_per_second"]
        return rate

    @property
    def stages(self) -> dict[int, dict[str, float]]:
        """Return where the time of Recoq's tasks went, by the number of clients: mean milliseconds by stage."""
        return {clients: load["stages"] for clients, load in self.loads[RECOQ].items()}

    @property
    def over_litserve(self) -> float:
        """Recoq over LitServe, images per second at most clients."""
        most = CLIENTS[-1]
        return self.ratio(RECOQ, most) / self.ratio(LITSERVE, most)

    @property
    def added_milliseconds(self) -> float:
        """What the service adds to one decode and one forward when nothing else runs."""
        added: float = self.loads[RECOQ][1]["median_milliseconds"] - self.bare["lone_milliseconds"]
        return added


def measure(*arguments: object) -> dict[str, Any]:
    """Run a measuring module in a process of its own and return the JSON object that it prints."""
    command = [sys.executable, "-m", *map(str, arguments)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result


def push(service: Service, folder: Path) -> int:
    """Deploy a model folder and return the ID of its specification."""
    command = [sys.executable, "-m", "cli", "push", str(folder), "--url", service.url, "--key", service.key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    specs = httpx.get(f"{service.url}/v0.7/recognition/specs", headers={"X-API-KEY": service.key}).json()
    spec_id: int = specs["results"][-1]["id"]
    return spec_id


def execution_of(service: Service, spec_id: int) -> tuple[str, str]:
    """Return the precision and the form that the deployment of a specification's network has chosen."""
    with httpx.Client(base_url=f"{service.url}/v0.7", headers={"X-API-KEY": service.key}) as client:
        version = client.get("/recognition/versions").raise_for_status().json()["results"][-1]
        assert version["spec_id"] == spec_id
        network = client.get(f"/networks/{version['network_id']}").raise_for_status().json()
        report = client.get(f"/tasks/{network['task_id']}").raise_for_status().json()["data"]
    return report["precision"], GRAPH if report["frozen"] else MODULES


def compare(name: str, folder: Path, seconds: float) -> Comparison:
    """Measure one network in all ways, each with the machine to itself."""
    builder = BUILDERS[name]
    folder.mkdir()
    write_model_folder(builder, folder / "model")
    with running_service(folder / "data") as service:
        spec_id = push(service, folder / "model")
        precision, form = execution_of(service, spec_id)
        recoq = _loads(service.url, service.key, spec_id, "waiting", seconds)
    forms = dict.fromkeys((form, MODULES))
    bare_loops = {each: measure("benchmarks.bare_loop", builder, precision, each, seconds) for each in forms}
    with litserve(builder, precision, form, bare_loops[form]["batch_size"], folder) as url:
        synchronous = _loads(url, "none", 0, "synchronous", seconds)
    with flask_celery(builder, precision, form, folder) as url:
        tutorial = _loads(url, "none", 0, "tutorial", seconds)
    return Comparison(name, precision, form, bare_loops, {RECOQ: recoq, LITSERVE: synchronous, TUTORIAL: tutorial})


def _loads(url: str, key: str, spec_id: int, protocol: str, seconds: float) -> Loads:
    return {
        clients: measure("benchmarks.load", url, key, spec_id, clients, seconds, "--protocol", protocol)
        for clients in CLIENTS
    }


def table(comparisons: list[Comparison]) -> str:
    """Return the figures as Markdown."""
    head = " | ".join(f"{clients} client{'s' * (clients > 1)}: img/s · ratio · median, p99 ms" for clients in CLIENTS)
    lines = [f"| network | what | {head} |", "| --- " * (2 + len(CLIENTS)) + "|"]
    for each in comparisons:
        best = each.bare["images_per_second"]
        lines += [
            f"| {each.network}, {each.precision} | bare loop of {form}, batches of {bare['batch_size']} "
            f"| lone: {bare['lone_milliseconds']:.1f} ms | "
            f"| {bare['images_per_second']:.1f} · **{bare['images_per_second'] / best:.2f}** |"
            for form, bare in each.bare_loops.items()
        ]
        for contender, loads in each.loads.items():
            cells = " | ".join(
                f"{load['images_per_second']:.1f} · **{each.ratio(contender, clients):.2f}** · "
                f"{load['median_milliseconds']:.0f}, {load['p99_milliseconds']:.0f}"
                for clients, load in loads.items()
            )
            lines.append(f"| | {contender} | {cells} |")
    return "\n".join(lines)


def targets(comparisons: list[Comparison]) -> str:
    """Return the ratios that matter as Markdown."""
    lines = [
        "| network | Recoq / bare loop of modules | Recoq / bare loop in the form that the service runs "
        "| Recoq / LitServe in the same form | lone request, added ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each.network} | **{each.ratio(RECOQ, CLIENTS[-1], MODULES):.2f}** "
        f"| **{each.ratio(RECOQ, CLIENTS[-1]):.2f}** ({each.form}) | **{each.over_litserve:.2f}** "
        f"| **{each.added_milliseconds:.1f}** |"
        for each in comparisons
    ]
    return "\n".join(lines)


NOTES = """
- *bare loop*: the tuned network of `benchmarks/tuned.py`, images decoded ahead in one thread, the best of six batch
  sizes; of modules, as PyTorch is usually run, and, where the deployment of Recoq chose to freeze them, of one graph.
- *LitServe*: the same tuned network in the same form and batch size, in one worker that spreads each batch over all
  cores, as the bare loop does and as is its default; its answer is the response to the request. On a CPU, Recoq finds
  out by itself whether batches side by side are faster (decision 15).
- *Recoq*: each client sends an image with `Prefer: wait`, so that the answer comes when the task ends.
- *Flask + Celery*: the same tuned network in the same form, one Celery task for each image, a worker process for each
  core, Redis as the result backend; clients poll, which is what there is.
- *ratio*: images per second over those of the bare loop in the form that the contenders run. *Added*: median time from
  POST to result, less bare decode and forward in that form.
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
    plot_throughput(
        {
            f"{each.network}, {form}": bare["by_batch_size"]
            for each in comparisons
            for form, bare in each.bare_loops.items()
        },
        FOLDER,
    )
    plot_latency({each.network: each.loads for each in comparisons}, FOLDER)
    plot_stages({each.network: each.stages for each in comparisons}, FOLDER)
    body = f"640×480 JPEGs posted as multipart files.\n\n{targets(comparisons)}\n\n{table(comparisons)}\n{NOTES}\n"
    body += "\n\n".join(f"![{title}]({name}.png)" for name, title in PLOTS.items())
    write_section("speed", "Speed against a bare loop, LitServe, and Flask with Celery", body)
    return f"{targets(comparisons)}\n\n{table(comparisons)}"
