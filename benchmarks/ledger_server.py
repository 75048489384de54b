"""What the ledger's server costs: CPU time of a task with its image, bytes of one that has ended, and memory at rest.

The ledger runs by itself on the bundled server, or on the one that TEST_REDIS names, so that servers and settings of
their heap can be compared. Two kinds of load: a few tasks at a time, as in a service that keeps up, and a burst that
waits as a whole before any of it ends, as after a large bulk request.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import redis

from benchmarks.results import write_section
from cli.embedded.heap import HeapKeeper
from cli.redis_server import ENVIRONMENT, wait_for_redis
from config.queues import TaskKind
from config.settings import MEBIBYTE, child_environment
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import Ending, NewTask, Outcome
from tests.redis_servers import prepare_test_redis

ACCOUNT = 1
TTL_SECONDS = 24 * 3600
LEASE_SECONDS = 60.0
MAX_ATTEMPTS = 3
TASKS = 20_000
BURST = 5_000
TOGETHER = 16
IMAGE_BYTES = 94_000
BURST_BYTES = (2_000, 250_000)
REST_SECONDS = 3.0
DATA = b'{"outputs": [{"labels": {"predicted": [{"label_id": 1, "label_name": "star", "score": 0.99}]}}]}'


@dataclass(frozen=True)
class LedgerCost:
    """CPU milliseconds a task by itself and in a burst, bytes of an ended task, and MiB before and after the burst.

    ``pause`` is how many milliseconds it takes to give memory back, during which the server does nothing else.
    """

    task: float
    burst_task: float
    ended_bytes: float
    fresh: float
    kept: float
    pause: float
    at_rest: float


def measure(environment: Mapping[str, str]) -> LedgerCost:
    """Measure a server of its own, started with ``environment`` beside that of this process."""
    with _server(environment) as (client, process):
        ledger, fresh = TaskLedger(client, TTL_SECONDS), _mebibytes(process)
        sizes = np.random.default_rng(0).integers(*BURST_BYTES, BURST)
        pool = np.random.default_rng(1).bytes(2 * BURST_BYTES[1])
        _run(ledger, [pool[:IMAGE_BYTES]] * TOGETHER)
        used, cpu = client.info("memory")["used_memory"], _cpu_seconds(process)
        for _ in range(TASKS // TOGETHER):
            _run(ledger, [pool[:IMAGE_BYTES]] * TOGETHER)
        task = _cpu_seconds(process) - cpu
        ended_bytes = (client.info("memory")["used_memory"] - used) / TASKS
        cpu = _cpu_seconds(process)
        _run(ledger, [pool[:size] for size in sizes])
        burst = _cpu_seconds(process) - cpu
        time.sleep(REST_SECONDS)
        kept, began = _mebibytes(process), time.monotonic()
        keeper = HeapKeeper(client)
        keeper.check()
        keeper.check()
        pause = 1000 * (time.monotonic() - began)
        return LedgerCost(
            1000 * task / TASKS, 1000 * burst / BURST, ended_bytes, fresh, kept, pause, _mebibytes(process)
        )


@contextmanager
def _server(environment: Mapping[str, str]) -> Iterator[tuple[redis.Redis, psutil.Process]]:
    with tempfile.TemporaryDirectory() as folder:
        launch = prepare_test_redis(Path(folder))
        with subprocess.Popen(launch.command, env=child_environment(environment)) as process:
            try:
                wait_for_redis(launch.url)
                with connect(launch.url) as client:
                    yield client, psutil.Process(process.pid)
            finally:
                process.kill()


def _run(ledger: TaskLedger, images: list[bytes]) -> None:
    """Accept all the images, and only then claim and end them, some at a time."""
    ids: list[str] = []
    for start in range(0, len(images), TOGETHER):
        new = [
            NewTask(ACCOUNT, TaskKind.RECOGNITION, {"version_id": 1, "network_id": 1}, [image])
            for image in images[start : start + TOGETHER]
        ]
        ids += [accepted.task_id for accepted in ledger.accept_many(new)]  # type: ignore[union-attr]  # none is refused
    for start in range(0, len(ids), TOGETHER):
        claims = ledger.claim_many(ids[start : start + TOGETHER], "worker", LEASE_SECONDS, MAX_ATTEMPTS)
        endings = [Ending(task.id, task.fence, Outcome(data=DATA)) for task in claims]  # type: ignore[union-attr]  # none is spent
        ledger.finish_many(endings)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _mebibytes(process: psutil.Process) -> float:
    return process.memory_full_info().uss / MEBIBYTE


def table(cost: LedgerCost) -> str:
    """Return the figures as Markdown."""
    rows = [
        ("CPU for a task with an image of 94 kB, ms", f"{cost.task:.3f}"),
        ("CPU for a task of a burst, images of 2 to 250 kB, ms", f"{cost.burst_task:.3f}"),
        ("an ended task, bytes", f"{cost.ended_bytes:,.0f}"),
        ("memory of a fresh server, MiB", f"{cost.fresh:.0f}"),
        (f"memory after a burst of {BURST:,} tasks, MiB", f"{cost.kept:.0f}"),
        ("the same when it has been given back, MiB", f"{cost.at_rest:.0f}"),
        ("giving it back, ms", f"{cost.pause:.0f}"),
    ]
    return "\n".join(["| ledger's server | |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows)])


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the number of tasks is fixed."""
    figures = table(measure(ENVIRONMENT))
    write_section("ledger-server", "What the ledger's server costs", figures)
    return figures
