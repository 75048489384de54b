"""A flood of mutated images ends in pixels or sentences, and the worker that took it is still the same."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from tests.integration.tasks import ended_task
from tests.mutated_images import mutations
from tests.service import Service
from workers.runner import INTERNAL_ERROR

COUNT = 500
SEED = 2
SENDERS = 8
CLASSIFIER = "/recognition/public/shapes-v1/inference"


def worker_of(service: Service) -> psutil.Process:
    children = psutil.Process(service.process.pid).children(recursive=True)
    (worker,) = [child for child in children if child.cmdline()[-2:] == ["-m", "workers"]]
    return worker


def test_a_flood_of_mutated_images_harms_nothing(service: Service, http: httpx.Client) -> None:
    before = worker_of(service)

    def outcome(data: bytes) -> str:
        sent = http.post(CLASSIFIER, files={"inputs[0]image.source": data})
        if sent.status_code == 400:
            return "refused at once"
        task = ended_task(http, sent)
        assert task["error"] != INTERNAL_ERROR
        assert task["status"] == "success" or task["error"].startswith("inputs.0.image: ")
        return str(task["status"])

    with ThreadPoolExecutor(SENDERS) as pool:
        outcomes = list(pool.map(outcome, itertools.islice(mutations(SEED), COUNT)))
    assert {"success", "error"} <= set(outcomes)
    assert worker_of(service) == before
