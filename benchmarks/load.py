"""The client of the benchmark: posts images and polls their tasks, as many at once as asked.

``python -m benchmarks.load URL KEY SPEC_ID CLIENTS SECONDS`` runs in a process of its own and prints a JSON object, so
that its work is not counted with anyone else's.
"""

import asyncio
import json
import statistics
import sys
import time

import aiohttp

from benchmarks.workload import jpegs

FIRST_POLL_SECONDS = 0.002
LONGEST_POLL_SECONDS = 0.2
WARM_UP_SECONDS = 3.0


class Load:
    """A number of clients that each keep one task under way."""

    def __init__(self, session: aiohttp.ClientSession, spec_id: str) -> None:
        self._session = session
        self._spec_id = spec_id
        self._images = jpegs()
        self.finished: list[tuple[float, float]] = []  # when each task was seen to end, and how long it took

    async def run(self, clients: int, seconds: float) -> None:
        """Keep ``clients`` tasks under way for ``seconds``."""
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._client(number, end) for number in range(clients)))

    async def _client(self, number: int, end: float) -> None:
        turn = number
        while (start := time.perf_counter()) < end:
            await self._recognise(self._images[turn % len(self._images)])
            self.finished.append((time.perf_counter(), time.perf_counter() - start))
            turn += 1

    async def _recognise(self, image: bytes) -> None:
        form = aiohttp.FormData()
        form.add_field("inputs[0]image.source", image, filename="image.jpg")
        async with self._session.post(f"/v0.7/recognition/specs/{self._spec_id}/inference", data=form) as response:
            task_id = (await response.json())["task_id"]
        pause = FIRST_POLL_SECONDS
        while True:
            await asyncio.sleep(pause)
            async with self._session.get(f"/v0.7/tasks/{task_id}") as response:
                task = await response.json()
            if task["status"] == "error":
                raise RuntimeError(task["error"])
            if task["status"] == "success":
                return
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


async def measure(url: str, key: str, spec_id: str, clients: int, seconds: float) -> dict[str, float]:
    """Return throughput and median latency, after a warm-up."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers={"X-API-KEY": key}, connector=connector) as session:
        load = Load(session, spec_id)
        await load.run(clients, WARM_UP_SECONDS)
        load.finished.clear()
        start = time.perf_counter()
        await load.run(clients, seconds)
        elapsed = max(end for end, _ in load.finished) - start
    durations = [duration for _, duration in load.finished]
    return {
        "images_per_second": len(durations) / elapsed,
        "median_milliseconds": 1000 * statistics.median(durations),
    }


def main() -> None:
    """Run one load and print its figures."""
    url, key, spec_id, clients, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(url, key, spec_id, int(clients), float(seconds)))))


if __name__ == "__main__":
    main()
