"""A running service tells what it does: its workers, its tasks, and where their time goes."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from demo import IMAGES_FOLDER
from tests.integration.tasks import ended_task

PATIENCE_SECONDS = 30.0
NETWORK = "shapes-v1"
STAGES = ["queued", "load", "fetch", "decode", "preprocess", "batch_wait", "device", "postprocess", "write"]

Answer = dict[str, Any]


def operations_when(http: httpx.Client, is_there: Callable[[Answer], bool]) -> Answer:
    """Return the figures once they are as expected, or when patience ends; processes send theirs once a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer: Answer = http.get("/operations").raise_for_status().json()
        if is_there(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def figures_of_the_demo(answer: Answer) -> Answer:
    found = [row for row in answer["networks"] if row["network"]["id"] == NETWORK]
    return found[0] if found else {"accepted": 0, "succeeded": 0, "failed": 0, "batches": 0}


def recognise(http: httpx.Client, image: bytes) -> Answer:
    files = {"inputs[0]image.source": ("image.jpg", image)}
    return ended_task(http, http.post(f"/recognition/public/{NETWORK}/inference", files=files))


def test_work_of_all_processes_is_told_within_seconds(http: httpx.Client) -> None:
    before = figures_of_the_demo(operations_when(http, lambda answer: bool(answer["workers"])))
    images = [(IMAGES_FOLDER / "star.jpg").read_bytes()] * 3 + [b"This is no image."]
    ended = [recognise(http, image)["status"] for image in images]
    assert ended == ["success"] * 3 + ["error"]

    def has_grown(answer: Answer) -> bool:
        """Tell whether all of it has arrived; what was under way before, such as the warm-up, may have as well."""
        row, expected = figures_of_the_demo(answer), {"accepted": 4, "succeeded": 3, "failed": 1, "batches": 3}
        return all(row[name] - before[name] >= growth for name, growth in expected.items())

    answer = operations_when(http, has_grown)
    assert has_grown(answer), figures_of_the_demo(answer)
    assert [stage["stage"] for stage in answer["stages"]] == STAGES
    assert answer["errors"][0]["sentence"].startswith("inputs.0.image: The data is not an image")
    assert sum(row["succeeded"] for row in answer["history"]) >= 3


def test_worker_tells_its_device_and_networks(http: httpx.Client) -> None:
    answer = operations_when(http, lambda answer: bool(answer["workers"]) and answer["workers"][0]["tasks"] == 0)
    [worker] = answer["workers"]
    assert worker["device"]
    assert 0 < worker["memory_used_bytes"] < worker["memory_total_bytes"]
    assert NETWORK in [network["id"] for network in worker["networks"]]
    assert not worker["is_busy"]
    assert worker["date_started"] < worker["date_seen"]
