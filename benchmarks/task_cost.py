"""What a task costs outside of decoding and device work: CPU time of API, Redis and worker, submit and one poll.

The image has 8×8 pixels and the network is one pooling layer, so that next to nothing is left of decoding and
inference. CPU time is that of the processes, as the operating system accounts it; the client is not counted. Of some
rounds, the one whose sum is the median counts, since whatever else runs takes caches away.
"""

import asyncio
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp
import httpx
import psutil
from PIL import Image

from benchmarks.idle_network import SIDE, write_idle_network
from benchmarks.results import write_section
from cli.redis_server import find_redis_binary
from tests.service import Service, running_service

CLIENTS = 16
WARM_UP_TASKS = 300
TASKS = 3000  # in each round
ROUNDS = 5
TARGETS = {"worker": 1.2, "API, Redis and worker": 4.0}


@dataclass(frozen=True)
class TaskCost:
    """CPU milliseconds of each task, by process."""

    api: float
    redis: float
    worker: float

    @property
    def total(self) -> float:
        """Of all three."""
        return self.api + self.redis + self.worker


def measure() -> TaskCost:
    """Start a service and measure it."""
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder) / "data") as service:
        spec_id = _push(service, Path(folder) / "nothing")
        asyncio.run(_run(service, spec_id, WARM_UP_TASKS))
        rounds = sorted((_round(service, spec_id) for _ in range(ROUNDS)), key=lambda cost: cost.total)
    return rounds[ROUNDS // 2]


def _round(service: Service, spec_id: int) -> TaskCost:
    before = _cpu_seconds(service)
    asyncio.run(_run(service, spec_id, TASKS))
    after = _cpu_seconds(service)
    return TaskCost(**{name: 1000 * (after[name] - before[name]) / TASKS for name in before})


def _push(service: Service, folder: Path) -> int:
    """Deploy a network that does nearly nothing and return the ID of its specification."""
    write_idle_network(folder)
    command = [sys.executable, "-m", "cli", "push", str(folder), "--url", service.url, "--key", service.key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    specs = httpx.get(f"{service.url}/v0.7/recognition/specs", headers={"X-API-KEY": service.key}).json()
    spec_id: int = specs["results"][-1]["id"]
    return spec_id


async def _run(service: Service, spec_id: int, count: int) -> None:
    """Submit tasks, wait until the last ones have ended, and poll each of the others once."""
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(
        f"{service.url}/v0.7/", headers={"X-API-KEY": service.key}, connector=connector
    ) as session:
        image = _image()
        task_ids = await asyncio.gather(*(_submit(session, spec_id, image) for _ in range(count)))
        await asyncio.gather(*(_ended(session, task_id) for task_id in task_ids[-CLIENTS:]))
        await asyncio.gather(*(_poll_once(session, task_id) for task_id in task_ids[:-CLIENTS]))


def _image() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (SIDE, SIDE), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


async def _submit(session: aiohttp.ClientSession, spec_id: int, image: bytes) -> str:
    form = aiohttp.FormData()
    form.add_field("inputs[0]image.source", image, filename="image.jpg")
    async with session.post(f"recognition/specs/{spec_id}/inference", data=form) as response:
        task_id: str = (await response.json())["task_id"]
        return task_id


async def _status(session: aiohttp.ClientSession, task_id: str) -> str:
    async with session.get(f"tasks/{task_id}") as response:
        status: str = (await response.json())["status"]
        return status


async def _ended(session: aiohttp.ClientSession, task_id: str) -> None:
    while await _status(session, task_id) == "pending":
        await asyncio.sleep(0.2)


async def _poll_once(session: aiohttp.ClientSession, task_id: str) -> None:
    if await _status(session, task_id) != "success":
        raise RuntimeError(f"Task {task_id} ended late or failed.")


def _cpu_seconds(service: Service) -> dict[str, float]:
    seconds = {"api": 0.0, "redis": 0.0, "worker": 0.0}
    for process in psutil.Process(service.process.pid).children(recursive=True):
        command = " ".join(process.cmdline())
        name = "redis" if Path(find_redis_binary()).name in command else "worker" if "-m workers" in command else "api"
        times = process.cpu_times()
        seconds[name] += times.user + times.system
    return seconds


def table(cost: TaskCost) -> str:
    """Return the figures as Markdown."""
    rows = [
        ("API", cost.api, ""),
        ("Redis", cost.redis, ""),
        ("worker", cost.worker, f"{TARGETS['worker']:g}"),
        ("together", cost.total, f"{TARGETS['API, Redis and worker']:g}"),
    ]
    lines = ["| process | CPU for each task, ms | target, ms |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | **{value:.2f}** | {target} |" for name, value, target in rows)])


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the number of tasks is fixed."""
    figures = table(measure())
    intro = "CPU time outside of decoding and device work: an image of 8×8 pixels, a network that does next to nothing."
    write_section("task-cost", "What a task costs", f"{intro} Submit and one poll.\n\n{figures}")
    return figures


if __name__ == "__main__":
    print(table(measure()))
