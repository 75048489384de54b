"""A Redis that does not answer is an error within seconds, for all threads, and is used again as soon as it answers."""

import contextvars
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from cli.redis_server import prepare_redis, wait_for_redis
from store.redis_connection import SOCKET_TIMEOUT_SECONDS, bound_waits, connect

WAIT_SECONDS = 20


@pytest.fixture(params=["socket", "TCP"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """A Redis of its own, and a client that has talked to it."""
    launch = prepare_redis(tmp_path, over_tcp=request.param == "TCP")
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as process:
        wait_for_redis(launch.url)
        with connect(launch.url) as client:
            client.set("key", "value")
            yield process, client
        os.kill(process.pid, signal.SIGCONT)
        process.kill()


def attempt(client: redis.Redis) -> float:
    """Return how long a command took to fail, in seconds."""
    start = time.monotonic()
    with pytest.raises(redis.RedisError):
        client.get("key")
    return time.monotonic() - start


def wait_until_back(client: redis.Redis) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            assert client.get("key") == b"value"
        except redis.RedisError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_frozen_server_costs_one_time_out_and_not_one_for_each_thread(
    server: tuple[subprocess.Popen[bytes], redis.Redis],
) -> None:
    process, client = server
    os.kill(process.pid, signal.SIGSTOP)
    attempt(client)
    with ThreadPoolExecutor(8) as pool:
        seconds = sorted(pool.map(attempt, [client] * 64))
    assert sum(each >= SOCKET_TIMEOUT_SECONDS for each in seconds) <= 1
    os.kill(process.pid, signal.SIGCONT)
    wait_until_back(client)


def test_restarted_server_is_used_at_once(server: tuple[subprocess.Popen[bytes], redis.Redis]) -> None:
    _, client = server
    client.client_kill_filter(client.client_id(), skipme=False)
    assert client.get("key") == b"value"


def test_pipeline_and_scripts_go_through_it_too(server: tuple[subprocess.Popen[bytes], redis.Redis]) -> None:
    process, client = server
    script = client.register_script("return redis.call('GET', KEYS[1])")
    os.kill(process.pid, signal.SIGSTOP)
    attempt(client)
    start = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        script(keys=["key"])
    with pytest.raises(redis.ConnectionError), client.pipeline(transaction=False) as pipeline:
        pipeline.get("key").execute()
    assert time.monotonic() - start < SOCKET_TIMEOUT_SECONDS
    os.kill(process.pid, signal.SIGCONT)
    wait_until_back(client)
    assert script(keys=["key"]) == b"value"


def test_who_may_not_wait_for_long_asks_a_slow_server_no_more(
    server: tuple[subprocess.Popen[bytes], redis.Redis],
) -> None:
    _, client = server

    def ask_again_and_again() -> None:
        bound_waits()
        for _ in range(2):
            client.blpop(["nothing"], 0.6)
        with pytest.raises(redis.ConnectionError, match="too slow"):
            client.get("key")

    contextvars.copy_context().run(ask_again_and_again)
    assert client.get("key") == b"value"  # others go on
