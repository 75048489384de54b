"""From JPEG to result on a GPU, over HTTP, against the bare pipeline of the same machine.

Written where there is a GPU only. Images come one by one, each client waiting for its result, and in bulk.
"""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from benchmarks.gpu_figures import LARGEST_BATCH, NOTES, GpuFigures, LoadFigures, table, together
from benchmarks.load import WARM
from benchmarks.results import write_section
from benchmarks.speed import deployment_of, measure, push
from benchmarks.speed_figures import Deployment
from benchmarks.workload import BUILDERS, write_model_folder
from cli.redis_server import find_redis_binary
from config.cores import usable_cores
from tests.service import Service, running_service

CORES_PER_LOAD = 4  # a load generator is one thread
CLIENTS = {"waiting": 128, "bulk": 6}  # of each load generator
PIPELINE_SIZES = (64, 128)
DECODINGS = ("EXACT", "DEVICE")
WATCHED_SHARE = 0.8  # of the time of a load


def settings_for(cores: int) -> dict[str, str]:
    """Return the settings of a service for a GPU beside so many cores."""
    return {
        "RECOQ_MAX_BATCH_SIZE": str(LARGEST_BATCH),
        "RECOQ_WORKER_PROCESSES": "auto",
        "RECOQ_WORKER_THREADS": str(LARGEST_BATCH),
        "RECOQ_API_PROCESSES": str(max(2, cores // 3)),
    }


def measure_network(network: str, folder: Path, seconds: float) -> list[GpuFigures]:
    """Measure a network through the service and bare, one after the other, with each way of decoding."""
    builder, loads, deployed = BUILDERS[network], dict[str, dict[str, LoadFigures]](), dict[str, Deployment]()
    with running_service(folder / "data", **settings_for(usable_cores())) as service:
        for decoding in DECODINGS:
            write_model_folder(builder, folder / decoding, decoding=decoding)
            spec_id = push(service, folder / decoding)
            deployed[decoding] = deployment_of(service, spec_id)
            loads[decoding] = {protocol: load(service, spec_id, protocol, seconds) for protocol in CLIENTS}
    return [
        GpuFigures(
            network,
            f"{deployed[decoding].precision}, {deployed[decoding].form}",
            decoding,
            _pipeline(builder, deployed[decoding], decoding, seconds),
            loads[decoding],
        )
        for decoding in DECODINGS
    ]


def _pipeline(builder: str, deployed: Deployment, decoding: str, seconds: float) -> dict[int, float]:
    way = (deployed.precision, deployed.form, decoding)
    found = measure("benchmarks.pipeline", builder, *way, seconds, *PIPELINE_SIZES)
    return {int(size): rate for size, rate in found["images_per_second"].items()}


def load(service: Service, spec_id: int, protocol: str, seconds: float) -> LoadFigures:
    """Run several load generators at once and add them up."""
    arguments = (service.url, service.key, spec_id, CLIENTS[protocol], seconds, "--protocol", protocol, "--announce")
    command = [sys.executable, "-m", "benchmarks.load", *map(str, arguments)]
    count = max(1, usable_cores() // CORES_PER_LOAD)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    generators = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]
    for generator in generators:
        _wait_until_warm(generator)
    cores = _busy_cores(service, generators, WATCHED_SHARE * seconds)
    outputs = [generator.communicate()[0] for generator in generators]
    if any(generator.returncode for generator in generators):
        raise RuntimeError("A load generator failed.")
    return together([json.loads(output) for output in outputs], cores)


def _wait_until_warm(generator: "subprocess.Popen[str]") -> None:
    assert generator.stderr is not None
    lines: list[str] = []
    while not lines or WARM not in lines[-1]:
        lines.append(generator.stderr.readline())
        if not lines[-1]:
            raise RuntimeError(f"A load generator failed: {''.join(lines)}")


def _busy_cores(service: Service, generators: list["subprocess.Popen[str]"], seconds: float) -> dict[str, float]:
    """Return the CPU time of each second, by kind of process."""
    kinds = {"clients": [psutil.Process(generator.pid) for generator in generators]}
    for process in psutil.Process(service.process.pid).children(recursive=True):
        if process.status() != psutil.STATUS_ZOMBIE:  # as one that has tried a network may be
            kinds.setdefault(_kind_of(" ".join(process.cmdline())), []).append(process)
    before = {kind: _cpu_seconds(processes) for kind, processes in kinds.items()}
    time.sleep(seconds)
    return {kind: (_cpu_seconds(processes) - before[kind]) / seconds for kind, processes in kinds.items()}


def _kind_of(command: str) -> str:
    return "Redis" if Path(find_redis_binary()).name in command else "workers" if "-m workers" in command else "API"


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # one that has tried a network ends when it likes
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; where there is no GPU, the section stays as it is."""
    if not torch.cuda.is_available():
        return "There is no GPU here: the section is left as it was."
    figures = []
    for network in networks:
        with tempfile.TemporaryDirectory() as folder:
            figures += measure_network(network, Path(folder), seconds)
    shown = table(figures)
    write_section("gpu", "On a GPU: JPEG to result over HTTP", f"{shown}\n{NOTES}")
    return shown
