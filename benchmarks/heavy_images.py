"""What heavy images of one account do to another one: how long ordinary images wait meanwhile.

One account sends PNGs of 98 million pixels in files of some hundred kilobytes. Another one, whose ID is equal modulo
16, sends a photo ten times a second, however long the answers take.
"""

import asyncio
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from PIL import Image

from benchmarks.idle_network import write_idle_network
from benchmarks.photos import jpegs
from benchmarks.results import write_section
from benchmarks.speed import push
from store.accounts import Accounts
from store.database import Database
from tests.service import Service, running_service

SIDE_PIXELS = 9_899
COUNTS = (0, 16, 40)
APART = 16  # as far as the IDs of the two accounts are
INTERVAL_SECONDS = 0.1
MEASURED_SECONDS = 30.0
HEAVY_SECONDS = 5.0
WAIT_SECONDS = 60


@dataclass(frozen=True)
class Others:
    """How long the photos of the other account took, while so many heavy images were under way."""

    heavy: int
    seconds: list[float]

    def row(self) -> str:
        """Return the figures as a row of a table."""
        middle, high = quantiles(self.seconds, n=100)[49], quantiles(self.seconds, n=100)[94]
        return f"| {self.heavy} | {len(self.seconds)} | {middle:.3f} | {high:.3f} | {max(self.seconds):.2f} |"


def measure(folder: Path, seconds: float) -> list[Others]:
    """Start the service and measure for so long with each number of heavy images, each time from rest."""
    with running_service(folder / "heavy") as service:
        sender, other = _accounts(service)
        sender_spec, other_spec = (push(each, write_idle_network(folder / each.key)) for each in (sender, other))
        return asyncio.run(_measure_all(Sending(sender, sender_spec), Sending(other, other_spec), seconds))


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the network is one that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        figures = table(measure(Path(folder), max(seconds, MEASURED_SECONDS)))
    write_section("heavy-images", "Heavy images of another account", figures)
    return figures


def table(found: Sequence[Others]) -> str:
    """Return the figures as Markdown."""
    head = [
        f"Photos of one account, one each {INTERVAL_SECONDS:g} s over HTTP, while another account has sent PNGs of "
        f"{SIDE_PIXELS}×{SIDE_PIXELS} pixels at once; the IDs of both are equal modulo {APART}.",
        "",
        "| heavy images | photos | median, s | p95, s | longest, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(each.row() for each in found)])


def _accounts(service: Service) -> list[Service]:
    """Return the service as two accounts see it."""
    database = Database(f"sqlite:///{next(service.data_folder.glob('*.db'))}")
    accounts = Accounts(database)
    keys = [accounts.create_key(f"account-{number}", "admin") for number in range(APART + 1)]
    return [replace(service, key=key) for key in (keys[0], keys[-1])]


async def _measure_all(sender: "Sending", other: "Sending", seconds: float) -> list[Others]:
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    photo, heavy = jpegs()[0], _heavy_png()
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        await other.ask(session, photo)
        found = []
        for count in COUNTS:
            tasks = await asyncio.gather(*(sender.send(session, heavy) for _ in range(count)))
            asked = []
            for _ in range(int(seconds / INTERVAL_SECONDS)):
                asked.append(asyncio.create_task(other.ask(session, photo)))
                await asyncio.sleep(INTERVAL_SECONDS)
            found.append(Others(count, sorted(await asyncio.gather(*asked))))
            sys.stderr.write(f"{found[-1].row()}\n")
            for task in tasks:
                await sender.cancel(session, task["task_id"])
            await asyncio.sleep(2 * HEAVY_SECONDS if count else 0)
        return found


@dataclass(frozen=True)
class Sending:
    """A client of a specification."""

    service: Service
    spec_id: int

    async def ask(self, session: aiohttp.ClientSession, image: bytes) -> float:
        """Return how long an answer took, asking again as long as there is none."""
        start = time.monotonic()
        task = await self.send(session, image, Prefer=f"wait={WAIT_SECONDS}")
        while task.get("status") not in {"success", "error"}:
            path, headers = f"{self.service.url}/v0.7/tasks/{task['task_id']}", {"X-API-KEY": self.service.key}
            async with session.get(path, headers={**headers, "Prefer": f"wait={WAIT_SECONDS}"}) as response:
                task = {"task_id": task["task_id"], **await response.json()}
        if task["status"] != "success":
            raise RuntimeError(f"The task did not succeed: {task}")
        return time.monotonic() - start

    async def send(self, session: aiohttp.ClientSession, image: bytes, **headers: str) -> dict[str, Any]:
        """Submit an image and return the answer."""
        form = aiohttp.FormData()
        form.add_field("inputs[0]image.source", image, filename="image")
        path = f"{self.service.url}/v0.7/recognition/specs/{self.spec_id}/inference"
        async with session.post(path, data=form, headers={"X-API-KEY": self.service.key, **headers}) as response:
            answer: dict[str, Any] = json.loads(await response.text())
            if response.status >= 400:
                raise RuntimeError(f"{response.status}: {answer}")
            return answer

    async def cancel(self, session: aiohttp.ClientSession, task_id: str) -> None:
        """Cancel a task."""
        path = f"{self.service.url}/v0.7/tasks/{task_id}"
        async with session.delete(path, headers={"X-API-KEY": self.service.key}):
            pass


def _heavy_png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), "teal").save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, suppress(KeyboardInterrupt):
        sys.stdout.write(table(measure(Path(place), MEASURED_SECONDS)) + "\n")
