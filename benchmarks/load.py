"""The client of the benchmarks: posts images and waits for their results, as many at once as asked.

``python -m benchmarks.load URL KEY SPEC_ID CLIENTS SECONDS [--protocol P]`` runs in a process of its own and prints
a JSON object, so that its work is not counted with anyone else's. Every contender gets the same images from the same
client; the protocol is how images are sent and their results are got.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any, ClassVar

from benchmarks.lean_client import LeanClient
from benchmarks.photos import jpegs

FIRST_POLL_SECONDS = 0.002
LONGEST_POLL_SECONDS = 0.2
WARM_UP_SECONDS = 3.0
STAGES = ("queued", "load", "fetch", "decode", "preprocess", "batch_wait", "device", "postprocess")
REST = "HTTP and the rest"
WARM = "The warm-up is over."  # so that others know when to look
Timing = dict[str, Any]


class Waiting:
    """Posts to a specification of Recoq and has the answer wait for the task."""

    headers: ClassVar[str] = "Prefer: wait=60\r\n"

    def __init__(self, client: LeanClient, spec_id: str, images: list[bytes]) -> None:
        self._client = client
        path = f"/v0.7/recognition/specs/{spec_id}/inference"
        self._requests = [client.upload(path, "inputs[0]image.source", image, self.headers) for image in images]

    async def recognise(self, number: int) -> list[Timing]:
        """Return when the image of this number has been recognised: for each image that was sent, where time went."""
        return [timing_of(await self._client.ask(self._requests[number]))]


class Bulk:
    """Posts many images at once to a specification of Recoq, waits for the last one, and asks for all results."""

    def __init__(self, client: LeanClient, spec_id: str, images: list[bytes]) -> None:
        self._client = client
        items = {f"items[{index}]inputs[0]image.source": image for index, image in enumerate(images)}
        self._request = client.upload_all(f"/v0.7/recognition/specs/{spec_id}/inference/bulk", items)

    async def recognise(self, _: int) -> list[Timing]:
        """Return when all images have been recognised; for each, where its time went."""
        task_ids = [task["task_id"] for task in (await self._client.ask(self._request))["tasks"]]
        await self._client.ask(self._client.read(f"/v0.7/tasks/{task_ids[-1]}?wait=60"))
        timings, waiting = list[Timing](), task_ids
        while waiting:
            query = f"task_ids={','.join(waiting)}&page_size={len(waiting)}"
            tasks = (await self._client.ask(self._client.read(f"/v0.7/tasks?{query}")))["results"]
            timings += [timing_of(task) for task in tasks if task["status"] != "pending"]
            waiting = [task["id"] for task in tasks if task["status"] == "pending"]
            await asyncio.sleep(FIRST_POLL_SECONDS if waiting else 0)
        return timings


class Polling(Waiting):
    """Posts to a specification of Recoq and polls the task."""

    headers: ClassVar[str] = ""

    async def recognise(self, number: int) -> list[Timing]:
        """Return when the image of this number has been recognised; where its time went."""
        task_id = (await self._client.ask(self._requests[number]))["task_id"]
        return [timing_of(await _poll(self._client, f"/v0.7/tasks/{task_id}", "success", "error"))]


class Synchronous:
    """Posts and gets the result at once."""

    def __init__(self, client: LeanClient, spec_id: str, images: list[bytes]) -> None:
        self._client = client
        self._requests = [client.upload("/predict", "image", image) for image in images]

    async def recognise(self, number: int) -> list[Timing]:
        """Return when the image of this number has been recognised."""
        await self._client.ask(self._requests[number])
        return [{}]


class Tutorial(Synchronous):
    """Posts to Flask and polls the result backend of Celery."""

    async def recognise(self, number: int) -> list[Timing]:
        """Return when the image of this number has been recognised."""
        task_id = (await self._client.ask(self._requests[number]))["task_id"]
        await _poll(self._client, f"/result/{task_id}", "SUCCESS", "FAILURE")
        return [{}]


PROTOCOLS = {
    "waiting": Waiting,
    "bulk": Bulk,
    "polling": Polling,
    "tutorial": Tutorial,
    "synchronous": Synchronous,
}


def timing_of(task: dict[str, Any]) -> Timing:
    """Return where the time of a task went.

    Raises:
        RuntimeError: if it did not succeed.
    """
    if task.get("status") != "success":
        raise RuntimeError(f"The task did not succeed in time: {task}")
    timing: Timing = task["timing"]
    return timing


async def _poll(client: LeanClient, path: str, success: str, error: str) -> Any:
    pause, request = FIRST_POLL_SECONDS, client.read(path)
    while True:
        await asyncio.sleep(pause)
        task = await client.ask(request)
        if task["status"] == error:
            raise RuntimeError(f"{path} failed: {task}")
        if task["status"] == success:
            return task
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


class Load:
    """A number of clients that each keep one image under way, or one request in bulk."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._images = jpegs()
        self._clients = [LeanClient(arguments.url, arguments.key) for _ in range(arguments.clients)]
        protocol = PROTOCOLS[arguments.protocol]
        self._contenders = [protocol(client, arguments.spec_id, self._images) for client in self._clients]
        self.finished: list[tuple[float, float]] = []  # when each image was done, and how long it took
        self.timings: list[Timing] = []

    async def run(self, seconds: float) -> None:
        """Keep the images under way for ``seconds``."""
        end = time.perf_counter() + seconds
        runs = (self._run(contender, number, end) for number, contender in enumerate(self._contenders))
        await asyncio.gather(*runs)

    async def _run(self, contender: Waiting | Bulk | Synchronous, turn: int, end: float) -> None:
        while (start := time.perf_counter()) < end:
            timings = await contender.recognise(turn % len(self._images))
            now = time.perf_counter()
            self.timings += timings
            self.finished += [(now, now - start)] * len(timings)
            turn += 1

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


def mean_stages(timings: list[Timing], mean_milliseconds: float) -> dict[str, float]:
    """Return the mean milliseconds of each stage that tasks told of, and the rest of what clients have seen."""
    if not timings or not timings[0]:
        return {}
    means = {stage: statistics.mean(timing[stage] or 0.0 for timing in timings) for stage in STAGES}
    return {**means, REST: max(0.0, mean_milliseconds - sum(means.values()))}


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return throughput and latency, after a warm-up, and where the time went if the contender tells."""
    load = Load(arguments)
    await load.run(WARM_UP_SECONDS)
    if arguments.announce:
        print(WARM, file=sys.stderr, flush=True)
    load.finished.clear()
    load.timings.clear()
    start = time.perf_counter()
    await load.run(arguments.seconds)
    elapsed = max(end for end, _ in load.finished) - start
    load.close()
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
    parser.add_argument("--announce", action="store_true", help="say on standard error when the warm-up is over")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
