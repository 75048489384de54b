"""What networks that take turns in a small cache do to another one that is always in use.

Twenty networks are asked in turn, by as many clients, beside a hot one: first where all fit into memory, then where
the cache has room for five. ``python -m benchmarks.many_networks URL KEY SECONDS SLUG …`` is the client of the twenty.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from benchmarks.load import WARM_UP_SECONDS
from benchmarks.photos import jpegs
from benchmarks.results import write_section
from benchmarks.scaling_figures import ManyNetworks, Turns, networks_table
from benchmarks.speed import measure as run_module
from benchmarks.speed import push
from benchmarks.workload import PREPROCESSING
from tests.service import Service, running_service, service_environment

BUILDER = "resnet18"
NETWORKS = 20
ROOM_FOR = 5
SLACK = 0.5  # of a network
CLIENTS = 16
BATCH = 8
START_SECONDS = 2.0
WAIT_SECONDS = 60


def measure(folder: Path, seconds: float) -> ManyNetworks:
    """Deploy the networks once, and measure on two services with caches of different sizes."""
    models = [write_model(folder, number) for number in range(NETWORKS + 1)]
    slugs = [model.name for model in models[1:]]
    nbytes = (models[0] / "weights.safetensors").stat().st_size
    with running_service(folder / "networks", RECOQ_CACHE_BYTES=str(2 * NETWORKS * nbytes)) as service:
        spec_id = push(service, models[0])
        for model in models[1:]:
            publish(service, model)
        alone = _hot(service, spec_id, seconds)["images_per_second"]
        in_memory = _beside(service, spec_id, slugs, seconds)
    with running_service(folder / "networks", RECOQ_CACHE_BYTES=str(int((ROOM_FOR + SLACK) * nbytes))) as service:
        in_turns = _beside(service, spec_id, slugs, seconds)
    return ManyNetworks(CLIENTS, NETWORKS, ROOM_FOR, alone, in_memory, in_turns)


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the networks are its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = networks_table(measure(Path(folder), seconds))
    write_section("many-networks", "Many networks in turn", figures)
    return figures


def write_model(folder: Path, seed: int) -> Path:
    """Write the folder of a model with random weights."""
    model = folder / f"network-{seed}"
    model.mkdir()
    torch.manual_seed(seed)
    save_file(get_model(BUILDER, weights=None).state_dict(), model / "weights.safetensors")
    (model / "architecture.json").write_text(json.dumps({"builder": BUILDER}))
    labels = [{"id": index, "name": f"label {index}"} for index in range(1000)]
    description = {
        "name": model.name,
        "description": "",
        "metadata": {},
        "framework": "pytorch-2.x",
        "preprocessing": {**PREPROCESSING, "precision": "float32", "max_batch_size": BATCH},
        "outputs": [{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}],
        "post_processings": [{"classification": {"output_tensor": "output"}}],
    }
    (model / "model.json").write_text(json.dumps(description))
    return model


def publish(service: Service, model: Path) -> None:
    """Deploy a model folder as a public network."""
    command = [sys.executable, "-m", "cli", "publish", str(model)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=service_environment(service.data_folder))


def _hot(service: Service, spec_id: int, seconds: float) -> dict[str, Any]:
    return run_module("benchmarks.load", service.url, service.key, spec_id, CLIENTS, seconds)


def _beside(service: Service, spec_id: int, slugs: list[str], seconds: float) -> Turns:
    """Measure the hot network while the others are asked in turn."""
    before = _loads(service)
    with _asked_in_turn(service, slugs, START_SECONDS + WARM_UP_SECONDS + seconds) as others:
        time.sleep(START_SECONDS)
        hot = _hot(service, spec_id, seconds)
        told = json.loads(others.communicate()[0])
    return Turns(
        hot["images_per_second"],
        hot["p99_milliseconds"],
        told["images_per_second"],
        told["longest_seconds"],
        60 * (_loads(service) - before) / told["seconds"],
    )


@contextmanager
def _asked_in_turn(service: Service, slugs: list[str], seconds: float) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", __spec__.name, service.url, service.key, str(seconds), *slugs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _loads(service: Service) -> int:
    headers = {"X-API-KEY": service.key}
    time.sleep(2)  # by then, what has happened has been told
    operations = httpx.get(f"{service.url}/v0.7/operations", headers=headers).raise_for_status().json()
    return sum(worker["loads"] for worker in operations["workers"])


async def _ask_in_turn(url: str, key: str, seconds: float, slugs: list[str]) -> dict[str, float]:
    """Keep one image under way for each network; each client goes on to the next network after each answer."""
    image, start, taken = jpegs()[0], time.monotonic(), list[float]()
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(url, headers={"X-API-KEY": key}, timeout=timeout) as session:

        async def client(turn: int) -> None:
            while (begun := time.monotonic()) < start + seconds:
                await ask(session, slugs[turn % len(slugs)], image)
                taken.append(time.monotonic() - begun)
                turn += 1

        await asyncio.gather(*map(client, range(len(slugs))))
    elapsed = time.monotonic() - start
    return {"images_per_second": len(taken) / elapsed, "longest_seconds": max(taken), "seconds": elapsed}


async def ask(session: aiohttp.ClientSession, slug: str, image: bytes) -> None:
    """Have a public network recognise an image, and wait for the answer."""
    form = aiohttp.FormData()
    form.add_field("inputs[0]image.source", image, filename="image.jpg")
    path, headers = f"/v0.7/recognition/public/{slug}/inference", {"Prefer": f"wait={WAIT_SECONDS}"}
    async with session.post(path, data=form, headers=headers) as response:
        response.raise_for_status()
        task = await response.json()
    if task.get("status") != "success":
        raise RuntimeError(f"The task did not succeed in time: {task}")


def main() -> None:
    """Ask the networks in turn and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("url", str), ("key", str), ("seconds", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("slugs", nargs="+")
    arguments = parser.parse_args()
    asking = _ask_in_turn(arguments.url, arguments.key, arguments.seconds, arguments.slugs)
    print(json.dumps(asyncio.run(asking)))


if __name__ == "__main__":
    main()
