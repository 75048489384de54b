"""What happens to tasks when their worker is killed, stopped, frozen, or hangs."""

import io
import signal
import time
import warnings
from typing import Any

import httpx
import torch
from torch import Tensor, nn

from tests.chaos.conftest import DRAIN_SECONDS, grey_image
from tests.chaos.fleet import IMAGES, INFERENCE, Fleet, Process, wait_until
from tests.chaos.slow_server import SlowServer, slow_server
from tests.integration.pushed_models import Model, image_input, push

TAKEOVER_SECONDS = 10.0
STOP_MARGIN_SECONDS = 20.0
TASKS = 6  # one worker can hold them all
TASKS_IN_HAND = 60  # some of them are in each worker's hands for a while
FIELD = "inputs[0]image.source"


def submit_url(http: httpx.Client, url: str) -> str:
    response = http.post(INFERENCE, json={"inputs": [{"image": {"source": url}}]})
    assert response.status_code == 202, response.text
    task_id: str = response.json()["task_id"]
    return task_id


def submit_image(http: httpx.Client, path: str, image: bytes) -> str:
    response = http.post(path, files={FIELD: ("image.png", image)})
    assert response.status_code == 202, response.text
    task_id: str = response.json()["task_id"]
    return task_id


def submit_to_both(fleet: Fleet, http: httpx.Client, server: SlowServer) -> tuple[list[str], Process, list[str]]:
    """Return tasks that are under way in both workers, one of these, and its tasks."""
    ids = [submit_url(http, server.url) for _ in range(TASKS)]
    holders: dict[str, Process | None] = {}

    def all_are_under_way() -> bool:
        holders.update({task_id: fleet.worker_of(task_id) for task_id in ids})
        return all(holders.values())

    wait_until(all_are_under_way)
    victim = holders[ids[0]]
    assert victim is not None
    return ids, victim, [task_id for task_id in ids if holders[task_id] is victim]


def status(http: httpx.Client, task_id: str) -> Any:
    return http.get(f"/tasks/{task_id}").raise_for_status().json()


def wait_for_all(http: httpx.Client, ids: list[str]) -> list[dict[str, Any]]:
    wait_until(lambda: all(status(http, task_id)["status"] != "pending" for task_id in ids))
    return [status(http, task_id) for task_id in ids]


def attempts(fleet: Fleet, task_id: str) -> int:
    with fleet.ledger() as ledger:
        return int(ledger.hget(f"recoq:task:{task_id}", "attempts") or 0)


def test_others_finish_the_tasks_of_a_killed_worker_within_ten_seconds(fleet: Fleet, http: httpx.Client) -> None:
    with slow_server() as server:
        ids, victim, held = submit_to_both(fleet, http, server)
        victim.kill()
        killed_at = time.time()
        server.release()
        assert {task["status"] for task in wait_for_all(http, ids)} == {"success"}
    with fleet.ledger() as ledger:
        ends = [float(ledger.hget(f"recoq:task:{task_id}", "updated") or 0) for task_id in held]
    assert held
    assert max(ends) - killed_at <= TAKEOVER_SECONDS


def test_stopped_worker_hands_back_at_once_what_waits_for_an_image(fleet: Fleet, http: httpx.Client) -> None:
    with slow_server() as server:
        ids, victim, held = submit_to_both(fleet, http, server)
        victim.send(signal.SIGTERM)
        wait_until(lambda: victim.ended, DRAIN_SECONDS + STOP_MARGIN_SECONDS)
        wait_until(lambda: all(fleet.worker_of(task_id) not in (None, victim) for task_id in held))
        # Handed back, and not taken away: that would have counted as an attempt.
        assert {attempts(fleet, task_id) for task_id in held} == {1}
        server.release()
        assert {task["status"] for task in wait_for_all(http, ids)} == {"success"}
    assert victim.running is not None
    assert victim.running.returncode == 0  # it did not have to be ended


def test_stopped_worker_hands_back_what_it_cannot_finish_and_goes(fleet: Fleet, http: httpx.Client) -> None:
    path = push(http, moody_model()).tensors_path
    task_id = submit_image(http, path, grey_image(255))
    wait_until(lambda: fleet.worker_of(task_id) is not None)
    victim = fleet.worker_of(task_id)
    assert victim is not None
    victim.send(signal.SIGTERM)
    wait_until(lambda: victim.ended, DRAIN_SECONDS + STOP_MARGIN_SECONDS)
    wait_until(lambda: fleet.worker_of(task_id) not in (None, victim))
    assert attempts(fleet, task_id) == 1
    next_one = fleet.worker_of(task_id)
    assert http.delete(f"/tasks/{task_id}").status_code == 204
    wait_until(lambda: next_one is None or next_one.ended)  # it hangs as well


def test_stopped_worker_finishes_what_it_can(fleet: Fleet, http: httpx.Client) -> None:
    wait_until(lambda: len(fleet.living_workers()) == len(fleet.workers))
    ids = [submit_image(http, INFERENCE, IMAGES[0]) for _ in range(TASKS_IN_HAND)]
    victim = fleet.workers[0]
    victim.send(signal.SIGTERM)
    assert {task["status"] for task in wait_for_all(http, ids)} == {"success"}
    wait_until(lambda: victim.ended, DRAIN_SECONDS + STOP_MARGIN_SECONDS)
    assert victim.running is not None
    assert victim.running.returncode == 0
    assert {attempts(fleet, task_id) for task_id in ids} == {1}


def test_result_of_a_worker_that_lost_its_lease_changes_nothing(fleet: Fleet, http: httpx.Client) -> None:
    with slow_server() as server:
        ids, victim, held = submit_to_both(fleet, http, server)
        victim.freeze()
        wait_until(lambda: all(fleet.worker_of(task_id) not in (None, victim) for task_id in held))
        server.release()
        before = wait_for_all(http, ids)
        victim.thaw()
        [later] = wait_for_all(http, [submit_url(http, server.url)])
    assert later["status"] == "success"
    assert {task["status"] for task in before} == {"success"}
    assert [status(http, task_id) for task_id in ids] == before


class Moody(nn.Module):
    """Never returns from a batch with a white image in it."""

    def forward(self, images: Tensor) -> Tensor:
        turns = 1 if float(images.flatten(1).mean(1).max()) > 0.98 else 0
        while turns > 0:
            turns = turns % 1000 + 1
        return images.mean(dim=[2, 3])


def moody_model() -> Model:
    archive = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated, and still taken
        torch.jit.save(torch.jit.script(Moody()), archive)
    return Model({"model.torchscript": archive.getvalue()}, [image_input(target_size="32x32", pixel_scaling=1.0)])


def test_task_that_hangs_the_device_is_given_up_alone(fleet: Fleet, http: httpx.Client) -> None:
    path = push(http, moody_model()).tensors_path
    white, grey = grey_image(255), grey_image(100)

    mates = [submit_image(http, path, grey) for _ in range(8)]
    culprit = submit_image(http, path, white)
    mates += [submit_image(http, path, grey) for _ in range(24)]

    def culprit_is_given_up() -> bool:
        for worker in fleet.workers:
            if worker.ended:
                worker.start()  # as a supervisor does
        return bool(status(http, culprit)["status"] != "pending")

    wait_until(culprit_is_given_up)
    assert status(http, culprit)["error"] == "The task failed 3 times without an answer, so it was given up."
    assert {task["status"] for task in wait_for_all(http, mates)} == {"success"}
