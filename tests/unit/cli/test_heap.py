"""The embedded Redis gives the memory of a burst back, although small records of it stay."""

import subprocess
import time
from pathlib import Path

import psutil
import pytest
import redis

from cli.embedded.heap import MAX_KEPT_BYTES, HeapKeeper
from cli.redis_server import ENVIRONMENT, prepare_redis, wait_for_redis
from config.settings import MEBIBYTE, child_environment

BURST = 2_000
IMAGE = b"\xff" * 150_000


@pytest.fixture
def server(tmp_path: Path):
    launch = prepare_redis(tmp_path)
    with subprocess.Popen(launch.command, env=child_environment(ENVIRONMENT), stdout=subprocess.DEVNULL) as process:
        wait_for_redis(launch.url)
        with redis.Redis.from_url(launch.url) as client:
            client.config_set("appendonly", "no")
            yield client, psutil.Process(process.pid)
        process.kill()


def burst(client: redis.Redis) -> None:
    """Store images and records by turns, and delete the images."""
    for start in range(0, BURST, 100):
        with client.pipeline(transaction=False) as pipeline:
            for number in range(start, start + 100):
                pipeline.set(f"image:{number}", IMAGE)
                pipeline.hset(f"record:{number}", mapping={"status": "success"})
            pipeline.execute()
    client.delete(*(f"image:{number}" for number in range(BURST)))


def test_memory_of_a_burst_is_given_back_at_the_second_check(server: tuple[redis.Redis, psutil.Process]) -> None:
    client, process = server
    script = client.register_script("return 1")
    assert script() == 1
    fresh = process.memory_info().rss
    burst(client)
    time.sleep(0.3)  # for the server to look at its own memory
    keeper = HeapKeeper(client)
    keeper.check()
    assert process.memory_info().rss - fresh > MAX_KEPT_BYTES
    keeper.check()
    assert process.memory_info().rss - fresh < 32 * MEBIBYTE
    assert client.script_exists(script.sha) == [True]
    assert client.exists(*(f"record:{number}" for number in range(BURST))) == BURST
