"""What a request costs the API: CPU time of its process per request, over real HTTP, and its memory.

No worker runs, so tasks stay pending and the API has the machine to itself. Client and API are different processes;
only the API's CPU time is counted, as the operating system accounts it: the median of some rounds, since whatever else
runs takes caches away.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from benchmarks.photos import jpegs
from benchmarks.results import write_section
from benchmarks.workload import PREPROCESSING
from cli.redis_server import free_loopback_port, prepare_redis, wait_for_redis
from store.accounts import Accounts
from store.database import Database
from store.migrate import migrate
from store.networks import Networks
from store.specs import Specs
from store.versions import Versions
from tests.service import service_environment

SPEC_COUNT = 10_000
WARM_UP_REQUESTS = 50
REQUESTS = 300  # in each round
ROUNDS = 7
TORCH_LIBRARY = "libtorch"


@dataclass(frozen=True)
class Cost:
    """One kind of request."""

    request: str
    cpu_milliseconds: float
    target_milliseconds: float


@dataclass(frozen=True)
class ApiCosts:
    """All that was measured of one API process."""

    requests: tuple[Cost, ...]
    memory_mebibytes: float
    torch_loaded: bool


def measure() -> ApiCosts:
    """Start an API process and measure it."""
    with tempfile.TemporaryDirectory() as folder, running_api(Path(folder)) as api:
        [process], client, spec_id = api.workers, api.client, api.spec_id
        image = jpegs()[0]
        task_id = _post(client, spec_id, image).json()["task_id"]
        costs = (
            Cost("inference POST, multipart JPEG", _cpu(process, lambda: _post(client, spec_id, image)), 2.5),
            Cost("task GET", _cpu(process, lambda: client.get(f"/tasks/{task_id}").raise_for_status()), 1.0),
            Cost(
                f"100 specifications of {SPEC_COUNT:,}",
                _cpu(process, lambda: client.get("/recognition/specs", params={"offset": 5000}).raise_for_status()),
                15.0,
            ),
        )
        return ApiCosts(costs, process.memory_info().rss / 2**20, _has_torch(process))


@dataclass(frozen=True)
class RunningApi:
    """Redis and an API without workers, and a specification that can be run."""

    url: str
    key: str
    redis_url: str
    database_url: str
    workers: list[psutil.Process]
    client: httpx.Client
    spec_id: int


@contextmanager
def running_api(folder: Path, processes: int = 1, specs: int = SPEC_COUNT) -> Iterator[RunningApi]:
    """Run Redis and an API while the block runs."""
    redis = prepare_redis(folder / "redis")
    url, port = f"sqlite:///{folder / 'recoq.db'}", free_loopback_port()
    migrate(url)
    key, spec_id = _fill(url, specs)
    environment = service_environment(
        folder,
        RECOQ_REDIS_URL=redis.url,
        RECOQ_PORT=str(port),
        RECOQ_API_PROCESSES=str(processes),
        RECOQ_LOG_LEVEL="WARNING",
    )
    with (
        subprocess.Popen(redis.command) as server,
        subprocess.Popen([sys.executable, "-m", "cli", "api"], env=environment) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/v0.7", headers={"X-API-KEY": key}, timeout=30) as client,
    ):
        wait_for_redis(redis.url)
        _wait_until_answering(client)
        workers = psutil.Process(api.pid).children()
        try:
            yield RunningApi(f"http://127.0.0.1:{port}", key, redis.url, url, workers, client, spec_id)
        finally:
            api.terminate()
            api.wait()
            server.terminate()


def _fill(url: str, count: int) -> tuple[str, int]:
    """Make an account with many specifications, the last of which can be run; return its key and that one's ID."""
    database = Database(url)
    accounts = Accounts(database)
    key = accounts.create_key("benchmark", "admin")
    principal = accounts.authenticate(key)
    assert principal is not None
    owner = principal.account_id
    outputs: list[dict[str, Any]] = [{"labels": {"labels": [{"id": 0, "name": "a"}], "exclusive": True, "roi": "NONE"}}]
    specs = Specs(database)
    for number in range(count):
        spec = specs.create(owner, name=f"spec {number}", description="", metadata={}, outputs=outputs)
    network = Networks(database).create(
        owner,
        name="network",
        description="",
        metadata={},
        framework="pytorch-2.x",
        preprocessing=PREPROCESSING,
        postprocessings=[],
        weights_key="none",
        files=(),
    )
    Versions(database).create(
        owner,
        spec_ref=spec.id,
        network_ref=network.id,
        post_processings=[{"classification": {"output_tensor": "output"}}],
    )
    database.close()
    return key, spec.id


def _wait_until_answering(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            client.get("/accounts/me").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("The API did not answer.")


def _post(client: httpx.Client, spec_id: int, image: bytes) -> httpx.Response:
    files = {"inputs[0]image.source": ("image.jpg", image)}
    return client.post(f"/recognition/specs/{spec_id}/inference", files=files).raise_for_status()


def _cpu(process: psutil.Process, request: Callable[[], object]) -> float:
    """Return the CPU milliseconds of ``process`` for each request."""
    for _ in range(WARM_UP_REQUESTS):
        request()
    return median(_cpu_of_a_round(process, request) for _ in range(ROUNDS))


def _cpu_of_a_round(process: psutil.Process, request: Callable[[], object]) -> float:
    before = process.cpu_times()
    for _ in range(REQUESTS):
        request()
    after = process.cpu_times()
    return 1000 * (after.user + after.system - before.user - before.system) / REQUESTS


def _has_torch(process: psutil.Process) -> bool:
    return any(TORCH_LIBRARY in mapped.path for mapped in process.memory_maps())


def table(costs: ApiCosts) -> str:
    """Return the figures as Markdown."""
    lines = ["| request | CPU of the API, ms | target, ms |", "| --- | --- | --- |"]
    lines += [
        f"| {each.request} | **{each.cpu_milliseconds:.2f}** | {each.target_milliseconds:g} |"
        for each in costs.requests
    ]
    loaded = "loaded" if costs.torch_loaded else "never loaded"
    return "\n".join([*lines, "", f"Memory of the process: {costs.memory_mebibytes:.0f} MiB; torch is {loaded}."])


def run(seconds: float, networks: list[str]) -> str:
    """Measure, write the section, and return the figures; the number of requests is fixed."""
    figures = table(measure())
    intro = "CPU time of the API's process for each request, over real HTTP."
    write_section("api-cost", "What a request costs the API", f"{intro}\n\n{figures}")
    return figures
