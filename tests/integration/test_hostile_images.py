"""A flood of mutated images ends in pixels or sentences, and the worker that took it is still the same.

A short flood is part of the suite; ``make fuzz`` sends ten thousand and shows what became of them.
"""

import itertools
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import httpx
import psutil
import pytest

from tests.integration.tasks import ended_task
from tests.mutated_images import mutations
from tests.service import Service
from workers.task_run import INTERNAL_ERROR

COUNT = int(os.environ.get("FUZZ_IMAGES", "500"))
SEED = int(os.environ.get("FUZZ_SEED", "2"))
SENDERS = 8
SLOWEST_SECONDS = 30.0
GROWTH_BYTES = 200_000_000
CLASSIFIER = "/recognition/public/shapes-v1/inference"


def worker_of(service: Service) -> psutil.Process:
    children = psutil.Process(service.process.pid).children(recursive=True)
    (worker,) = [child for child in children if "workers.main" in child.cmdline()]
    return worker


@pytest.mark.timeout(300 + COUNT / 5)
def test_a_flood_of_mutated_images_harms_nothing(
    service: Service, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    before = worker_of(service)
    slowest = 0.0

    def outcome(data: bytes) -> str:
        nonlocal slowest
        start = monotonic()
        sent = http.post(CLASSIFIER, files={"inputs[0]image.source": data})
        if sent.status_code == 400:
            return "refused at once"
        task = ended_task(http, sent)
        slowest = max(slowest, monotonic() - start)
        assert task["error"] != INTERNAL_ERROR
        assert task["status"] == "success" or task["error"].startswith("inputs.0.image: ")
        return str(task["status"])

    with ThreadPoolExecutor(SENDERS) as pool:
        images = mutations(SEED)
        outcomes = list(pool.map(outcome, itertools.islice(images, COUNT // 5)))
        warm_bytes = before.memory_info().rss
        outcomes += pool.map(outcome, itertools.islice(images, COUNT - COUNT // 5))
    grown_bytes = before.memory_info().rss - warm_bytes
    with capsys.disabled():
        megabytes = f"the worker grew by {grown_bytes / 1e6:.0f} MB"
        print(f"\n{COUNT} images, seed {SEED}: {dict(Counter(outcomes))}, slowest {slowest:.1f} s, {megabytes}")
    assert {"success", "error"} <= set(outcomes)
    assert worker_of(service) == before
    assert slowest < SLOWEST_SECONDS
    assert grown_bytes < GROWTH_BYTES
