"""What the API answers, and what workers do, while Redis is dead, frozen, full, slow or a replica."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import redis

from cli.redis_server import find_redis_binary, free_loopback_port
from store.backlog import MEMORY_CHECK_SECONDS
from store.task_keys import BACKLOG_KEY
from tests.chaos.fleet import IMAGES, INFERENCE, Fleet, wait_until

ANSWER_SECONDS = 3.0
CLIENTS = 24
BACKLOG = 300
FIELD = "inputs[0]image.source"
DEMOTED_SECONDS = float(os.environ.get("CHAOS_DEMOTED_SECONDS", "4"))
MAX_LINES = 12  # of a process, for an outage: one for each state and each ten seconds, and what starts and ends it


def post(http: httpx.Client) -> httpx.Response:
    return http.post(INFERENCE, files={FIELD: ("image.jpg", IMAGES[0])})


def assert_succeeds(http: httpx.Client, response: httpx.Response) -> None:
    """Wait for the end of an accepted task; right after a fault, some more requests may be refused."""
    assert response.status_code == 202, response.text
    path = f"/tasks/{response.json()['task_id']}"

    def has_ended() -> bool:
        answer = http.get(path)
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200 and answer.json()["status"] != "pending"

    wait_until(has_ended)
    wait_until(lambda: http.get(path).status_code == 200)
    assert http.get(path).json()["status"] == "success"


def accepted_post(http: httpx.Client) -> httpx.Response:
    """Post an image until it is accepted: each process of the API finds out by itself that Redis is back."""
    answers: list[httpx.Response] = []

    def is_accepted() -> bool:
        answers.append(post(http))
        assert answers[-1].status_code in {202, 429, 503}, answers[-1].text
        return answers[-1].status_code == 202

    wait_until(is_accepted)
    return answers[-1]


def assert_works_again(http: httpx.Client) -> None:
    assert_succeeds(http, accepted_post(http))


def answers_of_many(fleet: Fleet) -> list[tuple[httpx.Response, float]]:
    """Let many clients at once post an image, or ask for a task, and return the answers with their seconds."""

    def ask(number: int) -> tuple[httpx.Response, float]:
        with fleet.http() as http:
            start = time.monotonic()
            response = post(http) if number % 2 else http.get("/tasks/1")
            return response, time.monotonic() - start

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(ask, range(2 * CLIENTS)))


def assert_all_refused_in_time(fleet: Fleet) -> None:
    for response, seconds in answers_of_many(fleet):
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert seconds <= ANSWER_SECONDS


def pids(fleet: Fleet) -> list[int]:
    return [worker.pid for worker in fleet.workers if not worker.ended]


@contextmanager
def frozen_workers(fleet: Fleet) -> Iterator[None]:
    for worker in fleet.workers:
        worker.freeze()
    try:
        yield
    finally:
        for worker in fleet.workers:
            worker.thaw()


def test_dead_redis_is_503_and_all_go_on_when_it_is_back(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    with frozen_workers(fleet):
        accepted = [accepted_post(http) for _ in range(20)]
        fleet.redis.kill()
        assert_all_refused_in_time(fleet)
        fleet.restart_redis()
    for response in accepted:
        assert_succeeds(http, response)
    assert_works_again(http)
    assert pids(fleet) == before


def test_redis_that_dies_under_load_ends_no_worker(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    for _ in range(3):
        accepted = [accepted_post(http) for _ in range(60)]
        fleet.redis.kill()
        fleet.restart_redis()
        for response in accepted:
            assert_succeeds(http, response)
    assert pids(fleet) == before


def seconds_of_a_backlog(fleet: Fleet, http: httpx.Client) -> float:
    """Let tasks pile up, and return how long the workers then take for them."""
    for worker in fleet.workers:
        worker.freeze()
    for _ in range(BACKLOG):
        accepted_post(http)
    start = time.monotonic()
    for worker in fleet.workers:
        worker.thaw()
    with fleet.ledger() as ledger:
        wait_until(lambda: not ledger.hgetall(BACKLOG_KEY))
    return time.monotonic() - start


def test_workers_work_on_as_before_when_redis_is_back(fleet: Fleet, http: httpx.Client) -> None:
    before = seconds_of_a_backlog(fleet, http)
    fleet.redis.kill()
    fleet.restart_redis()
    assert_works_again(http)
    # A worker that nobody wakes when it has room takes some messages each second, and not some hundreds.
    assert seconds_of_a_backlog(fleet, http) < 3 * before + 3


def test_frozen_redis_is_503_within_seconds_for_every_client(fleet: Fleet, http: httpx.Client) -> None:
    before, accepted = pids(fleet), accepted_post(http)
    fleet.redis.freeze()
    frozen_at = time.monotonic()
    for _ in range(3):
        assert_all_refused_in_time(fleet)
    wait_until(lambda: time.monotonic() - frozen_at > 20)
    fleet.redis.thaw()
    assert_succeeds(http, accepted)
    assert_works_again(http)
    assert pids(fleet) == before


def test_redis_that_freezes_under_load_stalls_no_worker(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    for _ in range(3):
        accepted = [accepted_post(http) for _ in range(60)]
        fleet.redis.freeze()
        time.sleep(2.5)  # beyond the time-outs of all connections
        fleet.redis.thaw()
        for response in accepted:
            assert_succeeds(http, response)
        assert_works_again(http)
    assert pids(fleet) == before


def test_full_redis_takes_no_tasks_and_ends_those_that_it_has(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    with frozen_workers(fleet):
        accepted = [accepted_post(http) for _ in range(20)]
        with fleet.ledger() as ledger:
            ledger.config_set("maxmemory", 1)
    with fleet.ledger() as ledger:
        for response, seconds in answers_of_many(fleet):
            if response.request.method == "POST":
                assert response.status_code in {429, 503}
                assert int(response.headers["Retry-After"]) > 0
            assert seconds <= ANSWER_SECONDS
        for response in accepted:
            assert_succeeds(http, response)
        ledger.config_set("maxmemory", 0)
    time.sleep(MEMORY_CHECK_SECONDS)  # for so long other processes of the API remember it, and would refuse other tests
    assert_works_again(http)
    assert pids(fleet) == before


def test_slow_redis_delays_and_loses_nothing(fleet: Fleet, http: httpx.Client) -> None:
    before, stop = pids(fleet), threading.Event()

    def slow_down() -> None:
        with fleet.ledger() as ledger:
            while not stop.wait(0.32):
                with contextlib.suppress(redis.RedisError):
                    ledger.client_pause(300)  # milliseconds

    assert_works_again(http)
    thread = threading.Thread(target=slow_down)
    thread.start()
    responses = [accepted_post(http) for _ in range(8)]
    stop.set()
    thread.join()
    for response in responses:
        assert_succeeds(http, response)
    assert pids(fleet) == before


@contextmanager
def failed_over(fleet: Fleet, folder: Path) -> Iterator[None]:
    """Let another Redis take over what the fleet's has, and demote that one to its replica; then promote it again."""
    master = urlsplit(fleet.launch.url)
    port = free_loopback_port()
    options = ("--port", str(port), "--dir", str(folder), "--save", "", "--masterauth", str(master.password))
    with (
        subprocess.Popen((find_redis_binary(), *options), stdout=subprocess.DEVNULL) as process,
        redis.Redis(port=port) as other,
        fleet.ledger() as ledger,
    ):
        try:
            wait_until(lambda: _answers(other))
            other.replicaof("127.0.0.1", master.port)
            wait_until(lambda: other.info("replication")["master_link_status"] == "up")
            other.replicaof("NO", "ONE")
            ledger.replicaof("127.0.0.1", port)
            wait_until(lambda: ledger.info("replication")["master_link_status"] == "up")
            yield
        finally:
            ledger.replicaof("NO", "ONE")
            process.terminate()


def _answers(server: redis.Redis) -> bool:
    try:
        return bool(server.ping())
    except redis.RedisError:
        return False


def test_demoted_redis_ends_no_process_and_loses_nothing(fleet: Fleet, http: httpx.Client, tmp_path: Path) -> None:
    fleet.webhooks = fleet.process("workers.webhooks", "webhooks")
    fleet.webhooks.start()
    processes = [fleet.api, fleet.webhooks, *fleet.workers]
    before = [process.pid for process in processes]
    written = [len(process.log.read_text()) for process in processes]
    with frozen_workers(fleet):
        accepted = [accepted_post(http) for _ in range(20)]
        with failed_over(fleet, tmp_path):
            for worker in fleet.workers:
                worker.thaw()
            end = time.monotonic() + DEMOTED_SECONDS
            while time.monotonic() < end:
                start = time.monotonic()
                response = post(http)
                assert response.status_code == 503, response.text
                assert int(response.headers["Retry-After"]) > 0
                assert response.json()["error"] == "The task queue is away: Redis is a read-only replica."
                assert time.monotonic() - start < ANSWER_SECONDS
            ready = http.get(f"{fleet.url}/readyz")
            assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["queue"])
    for response in accepted:
        assert_succeeds(http, response)
    assert_works_again(http)
    assert [process.pid for process in processes if not process.ended] == before
    for process, length in zip(processes, written, strict=True):
        lines = process.log.read_text()[length:]
        assert "Traceback" not in lines
        assert len(lines.splitlines()) <= 2 * MAX_LINES, lines  # two processes of the API write into one
    fleet.webhooks.stop()


def test_emptied_redis_is_told_and_gives_no_id_again(fleet: Fleet, http: httpx.Client) -> None:
    before, length = pids(fleet), len(fleet.api.log.read_text())
    with frozen_workers(fleet):
        lost = [accepted_post(http).json()["task_id"] for _ in range(26)]
        time.sleep(2.5)  # the API looks once a second
        with fleet.ledger() as ledger:
            ledger.flushall()
        wait_until(lambda: "26 of them that had not ended" in fleet.api.log.read_text()[length:])
    response = accepted_post(http)
    assert int(response.json()["task_id"]) > max(map(int, lost))
    assert_succeeds(http, response)
    for task_id in lost:
        answer = http.get(f"/tasks/{task_id}")
        assert answer.status_code == 404
        assert answer.json()["error"].startswith(f"Task {task_id} is gone: all tasks with IDs up to")
    [loss] = http.get("/operations").json()["ledger_losses"]
    assert (loss["kind"], loss["tasks"]) == ("emptied", 26)
    assert pids(fleet) == before
