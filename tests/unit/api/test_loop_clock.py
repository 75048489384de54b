"""A request is not refused because its own process was too busy to read what Redis answered."""

import subprocess
import sys
from time import monotonic

import gevent
import pytest

from api.loop_clock import TICK_SECONDS, LoopClock

# Two commands are answered after 0.05 s, but their greenlet runs again only 0.7 s later; a third one is to be sent.
BUSY_PROCESS = """
import api.greenlets
import sys
from contextvars import copy_context
from time import monotonic

import gevent

from api.loop_clock import LoopClock
from store.redis_connection import bound_waits, connect

def keep_busy():
    end = monotonic() + 0.7
    while monotonic() < end:
        pass

def three_commands():
    bound_waits()
    for _ in range(2):
        gevent.spawn(keep_busy)
        client.blpop("nothing", timeout=0.05)
    print(client.ping())

clock = LoopClock()
if sys.argv[2] == "start":
    clock.start()
client = connect(sys.argv[1], clock)
client.ping()
gevent.spawn(copy_context().run, three_commands).get()
"""


def three_commands(redis_url: str, started: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BUSY_PROCESS, redis_url, started]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_redis_is_not_slow_because_the_process_is_busy(redis_url: str) -> None:
    assert three_commands(redis_url, "start").stdout == "True\n"


def test_by_the_wall_clock_it_would_be(redis_url: str) -> None:
    ended = three_commands(redis_url, "leave")
    assert ended.stdout == ""
    assert "Redis is too slow to be asked once more." in ended.stderr


def test_the_clock_goes_with_a_free_loop_and_stands_in_a_busy_one() -> None:
    clock = LoopClock()
    clock.start()
    start, start_by_the_wall = clock(), monotonic()
    gevent.sleep(10 * TICK_SECONDS)
    free = clock() - start
    assert 5 * TICK_SECONDS < free <= monotonic() - start_by_the_wall
    while monotonic() - start_by_the_wall < 40 * TICK_SECONDS:
        pass
    assert clock() - start < free + 2 * TICK_SECONDS
    clock.stop()
    assert clock() == pytest.approx(monotonic(), abs=10)
