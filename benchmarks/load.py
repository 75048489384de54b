"""The client of the benchmarks: posts images and waits for their results, as many at once as asked.

``python -m benchmarks.load URL KEY SPEC_ID CLIENTS SECONDS [--protocol P]`` runs in a process of its own and prints
a JSON object, so that its work is not counted with anyone else's. Every contender gets the same images from the same
client; the protocol is how its results are got.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp

from benchmarks.workload import jpegs

FIRST_POLL_SECONDS = 0.002
LONGEST_POLL_SECONDS = 0.2
WARM_UP_SECONDS = 3.0
STAGES = ("queued", "load", "fetch", "decode", "preprocess", "batch_wait", "device", "postprocess")
REST = "HTTP and the rest"
Timing = dict[str, Any]


class Waiting:
    """Posts to a specification of Recoq and has the answer wait for the task."""

    wait: ClassVar[dict[str, str]] = {"Prefer": "wait=60"}

    def __init__(self, session: aiohttp.ClientSession, spec_id: str) -> None:
        self._session = session
        self._path = f"/v0.7/recognition/specs/{spec_id}/inference"

    async def recognise(self, image: bytes) -> Timing:
        """Return when the image has been recognised."""
        task = await _post(self._session, self._path, "inputs[0]image.source", image, self.wait)
        if task.get("status") != "success":
            raise RuntimeError(f"The task did not succeed in time: {task}")
        timing: Timing = task["timing"]
        return timing


class Polling(Waiting):
    """Posts to a specification of Recoq and polls the task."""

    wait: ClassVar[dict[str, str]] = {}

    async def recognise(self, image: bytes) -> Timing:
        """Return when the image has been recognised."""
        task_id = (await _post(self._session, self._path, "inputs[0]image.source", image))["task_id"]
        timing: Timing = (await _poll(self._session, f"/v0.7/tasks/{task_id}", "success", "error"))["timing"]
        return timing


class Tutorial:
    """Posts to Flask and polls the result backend of Celery."""

    def __init__(self, session: aiohttp.ClientSession, spec_id: str) -> None:
        self._session = session

    async def recognise(self, image: bytes) -> Timing:
        """Return when the image has been recognised."""
        task_id = (await _post(self._session, "/predict", "image", image))["task_id"]
        await _poll(self._session, f"/result/{task_id}", "SUCCESS", "FAILURE")
        return {}


class Synchronous:
    """Posts and gets the result at once."""

    def __init__(self, session: aiohttp.ClientSession, spec_id: str) -> None:
        self._session = session

    async def recognise(self, image: bytes) -> Timing:
        """Return when the image has been recognised."""
        await _post(self._session, "/predict", "image", image)
        return {}


PROTOCOLS = {"waiting": Waiting, "polling": Polling, "tutorial": Tutorial, "synchronous": Synchronous}


async def _post(
    session: aiohttp.ClientSession, path: str, field: str, image: bytes, headers: Mapping[str, str] | None = None
) -> Any:
    form = aiohttp.FormData()
    form.add_field(field, image, filename="image.jpg")
    async with session.post(path, data=form, headers=headers) as response:
        response.raise_for_status()
        return await response.json()


async def _poll(session: aiohttp.ClientSession, path: str, success: str, error: str) -> Any:
    pause = FIRST_POLL_SECONDS
    while True:
        await asyncio.sleep(pause)
        async with session.get(path) as response:
            response.raise_for_status()
            task = await response.json()
        if task["status"] == error:
            raise RuntimeError(f"{path} failed: {task}")
        if task["status"] == success:
            return task
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


class Load:
    """A number of clients that each keep one image under way."""

    def __init__(self, contender: Waiting | Tutorial | Synchronous) -> None:
        self._contender = contender
        self._images = jpegs()
        self.finished: list[tuple[float, float]] = []  # when each image was done, and how long it took
        self.timings: list[Timing] = []

    async def run(self, clients: int, seconds: float) -> None:
        """Keep ``clients`` images under way for ``seconds``."""
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._client(number, end) for number in range(clients)))

    async def _client(self, number: int, end: float) -> None:
        turn = number
        while (start := time.perf_counter()) < end:
            self.timings.append(await self._contender.recognise(self._images[turn % len(self._images)]))
            self.finished.append((time.perf_counter(), time.perf_counter() - start))
            turn += 1


def mean_stages(timings: list[Timing], mean_milliseconds: float) -> dict[str, float]:
    """Return the mean milliseconds of each stage that tasks told of, and the rest of what clients have seen."""
    if not timings or not timings[0]:
        return {}
    means = {stage: statistics.mean(timing[stage] or 0.0 for timing in timings) for stage in STAGES}
    return {**means, REST: max(0.0, mean_milliseconds - sum(means.values()))}


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return throughput and latency, after a warm-up, and where the time went if the contender tells."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        arguments.url, headers={"X-API-KEY": arguments.key}, connector=connector
    ) as session:
        load = Load(PROTOCOLS[arguments.protocol](session, arguments.spec_id))
        await load.run(arguments.clients, WARM_UP_SECONDS)
        load.finished.clear()
        load.timings.clear()
        start = time.perf_counter()
        await load.run(arguments.clients, arguments.seconds)
        elapsed = max(end for end, _ in load.finished) - start
    durations = sorted(1000 * duration for _, duration in load.finished)
    return {
        "images_per_second": len(durations) / elapsed,
        "median_milliseconds": statistics.median(durations),
        "p99_milliseconds": durations[int(0.99 * (len(durations) - 1))],
        "stages": mean_stages(load.timings, statistics.mean(durations)),
    }


def main() -> None:
    """Run one load and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("url", str), ("key", str), ("spec_id", str), ("clients", int), ("seconds", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="waiting")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
