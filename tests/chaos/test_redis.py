"""What the API answers, and what workers do, while Redis is dead, frozen, full or slow."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import redis

from tests.chaos.fleet import IMAGES, INFERENCE, Fleet, wait_until
from tests.integration.tasks import ended_task, result

ANSWER_SECONDS = 3.0
CLIENTS = 24
FIELD = "inputs[0]image.source"


def post(http: httpx.Client) -> httpx.Response:
    return http.post(INFERENCE, files={FIELD: ("image.jpg", IMAGES[0])})


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
        accepted = [post(http) for _ in range(20)]
        fleet.redis.kill()
        assert_all_refused_in_time(fleet)
        fleet.restart_redis()
    for response in accepted:
        result(http, response)
    result(http, post(http))
    assert pids(fleet) == before


def test_redis_that_dies_under_load_ends_no_worker(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    for _ in range(3):
        accepted = [post(http) for _ in range(60)]
        fleet.redis.kill()
        fleet.restart_redis()
        for response in accepted:
            result(http, response)
    assert pids(fleet) == before


def test_frozen_redis_is_503_within_seconds_for_every_client(fleet: Fleet, http: httpx.Client) -> None:
    before, accepted = pids(fleet), post(http)
    fleet.redis.freeze()
    frozen_at = time.monotonic()
    for _ in range(3):
        assert_all_refused_in_time(fleet)
    wait_until(lambda: time.monotonic() - frozen_at > 20)
    fleet.redis.thaw()
    result(http, accepted)
    wait_until(lambda: post(http).status_code == 202)
    result(http, post(http))
    assert pids(fleet) == before


def test_full_redis_takes_no_tasks_and_goes_on_when_there_is_room(fleet: Fleet, http: httpx.Client) -> None:
    before = pids(fleet)
    accepted = [post(http) for _ in range(5)]
    with fleet.ledger() as ledger:
        ledger.config_set("maxmemory", 1)
        for response, seconds in answers_of_many(fleet):
            if response.request.method == "POST":
                assert response.status_code in {429, 503}
                assert int(response.headers["Retry-After"]) > 0
            assert seconds <= ANSWER_SECONDS
        ledger.config_set("maxmemory", 0)
    for response in accepted:
        result(http, response)
    wait_until(lambda: post(http).status_code == 202)
    assert pids(fleet) == before


def test_slow_redis_delays_and_loses_nothing(fleet: Fleet, http: httpx.Client) -> None:
    before, stop = pids(fleet), threading.Event()

    def slow_down() -> None:
        with fleet.ledger() as ledger:
            while not stop.wait(0.02):
                with contextlib.suppress(redis.RedisError):
                    ledger.execute_command("DEBUG", "SLEEP", "0.3")

    thread = threading.Thread(target=slow_down)
    thread.start()
    accepted = [response for response in (post(http) for _ in range(8)) if response.status_code == 202]
    stop.set()
    thread.join()
    assert accepted
    assert {ended_task(http, response)["status"] for response in accepted} == {"success"}
    assert pids(fleet) == before
