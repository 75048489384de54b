"""What waiting clients cost: how fast each is woken, and what other clients notice of them.

``python -m benchmarks.waits [WAITS]`` runs Redis and an API of two processes, has that many clients wait for a task
each, and ends the tasks one after the other, a hundred in a second, while one more client asks for something else.
The tasks are ended in a process of their own; the clock is the machine's.
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis import Redis

from benchmarks.api_cost import RunningApi, running_api
from benchmarks.results import write_section
from config.queues import TaskKind
from store.accounts import Accounts
from store.database import Database
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome

WAITS = 1000
ENDS_PER_SECOND = 100
OTHERS_PER_SECOND = 50
TTL_SECONDS = 3600


@dataclass(frozen=True)
class WaitFigures:
    """All that was measured of so many waits at once; times in milliseconds, sorted."""

    waits: int
    wake_ups: list[float]
    others: list[float]
    kilobytes_per_wait: float
    threads: int


def measure(waits: int = WAITS) -> WaitFigures:
    """Start an API and measure it."""
    with tempfile.TemporaryDirectory() as folder, running_api(Path(folder), processes=2, specs=1) as api:
        return asyncio.run(_measure(api, waits))


async def _measure(api: RunningApi, waits: int) -> WaitFigures:
    with connect(api.redis_url) as redis:
        task_ids = _submit(TaskLedger(redis, TTL_SECONDS), api, waits)
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            api.url, headers={"X-API-KEY": api.key}, connector=connector, timeout=timeout
        ) as session:
            await _others(session, 1.0)
            memory = _memory(api)
            waiting = [asyncio.create_task(_wait(session, task_id)) for task_id in task_ids]
            await asyncio.to_thread(_until_awaited, redis, task_ids)
            grown, threads = _memory(api) - memory, max(process.num_threads() for process in api.workers)
            ending = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __spec__.name, "end", api.redis_url, *task_ids, stdout=asyncio.subprocess.PIPE
            )
            others = await _others(session, waits / ENDS_PER_SECOND)
            printed, _ = await ending.communicate()
            woken = dict(await asyncio.gather(*waiting))
    ended: dict[str, float] = json.loads(printed)
    wake_ups = sorted(1000 * (woken[task_id] - ended[task_id]) for task_id in task_ids)
    return WaitFigures(waits, wake_ups, sorted(others), grown / 1024 / waits, threads)


def _submit(ledger: TaskLedger, api: RunningApi, count: int) -> list[str]:
    database = Database(api.database_url)
    principal = Accounts(database).authenticate(api.key)
    database.close()
    assert principal is not None
    return [ledger.submit(NewTask(principal.account_id, TaskKind.RECOGNITION, {})) for _ in range(count)]


async def _wait(session: aiohttp.ClientSession, task_id: str) -> tuple[str, float]:
    """Return the task's ID and when its end was known here; a wait that ran out begins anew."""
    while True:
        async with session.get(f"/v0.7/tasks/{task_id}?wait=60") as response:
            task = await response.json()
            if task["status"] != "pending":
                return task_id, time.monotonic()


async def _others(session: aiohttp.ClientSession, seconds: float) -> list[float]:
    """Return the milliseconds that each of some other requests took, sent at a steady rate."""
    times = []
    for _ in range(int(seconds * OTHERS_PER_SECOND)):
        start = time.monotonic()
        async with session.get("/v0.7/accounts/me") as response:
            await response.read()
        times.append(1000 * (time.monotonic() - start))
        await asyncio.sleep(max(0.0, 1 / OTHERS_PER_SECOND - (time.monotonic() - start)))
    return times


def _until_awaited(redis: "Redis", task_ids: list[str]) -> None:
    while not all(_awaited(redis, task_ids)):
        time.sleep(0.1)


def _awaited(redis: "Redis", task_ids: list[str]) -> list[bool]:
    with redis.pipeline(transaction=False) as pipeline:
        for task_id in task_ids:
            pipeline.hexists(f"recoq:task:{task_id}", "awaited")
        answers: list[bool] = pipeline.execute()
    return answers


def _memory(api: RunningApi) -> float:
    return float(sum(process.memory_full_info().uss for process in api.workers))


def _end_tasks(redis_url: str, task_ids: list[str]) -> None:
    """End the tasks one by one and print when each had ended."""
    ended = {}
    with connect(redis_url) as redis:
        ledger = TaskLedger(redis, TTL_SECONDS)
        start = time.monotonic()
        for index, task_id in enumerate(task_ids):
            time.sleep(max(0.0, start + index / ENDS_PER_SECOND - time.monotonic()))
            ledger.finish(task_id, None, Outcome(data=b'{"outputs":[]}'))
            ended[task_id] = time.monotonic()
    print(json.dumps(ended))


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted values are."""
    return values[min(int(share * len(values)), len(values) - 1)]


def table(figures: WaitFigures) -> str:
    """Return the figures as Markdown."""
    rows = (
        ("wake-up after the task has ended, ms", figures.wake_ups, "median 20"),
        ("other requests meanwhile, ms", figures.others, "p99 100"),
    )
    lines = [f"| {figures.waits:,} clients that wait | median | p99 | target |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | **{percentile(values, 0.5):.1f}** | **{percentile(values, 0.99):.1f}** | {target} |"
        for name, values, target in rows
    ]
    rest = f"A wait takes {figures.kilobytes_per_wait:.0f} KiB of the API; a process has {figures.threads} threads."
    return "\n".join([*lines, "", rest])


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; how many wait is fixed."""
    figures = table(measure())
    intro = f"Two API processes, tasks that end one by one, {ENDS_PER_SECOND} in a second."
    write_section("waits", "What waiting clients cost", f"{intro}\n\n{figures}")
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["end"]:
        _end_tasks(sys.argv[2], sys.argv[3:])
    else:
        print(table(measure(*map(int, sys.argv[1:]))))
