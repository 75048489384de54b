"""A server with many clients at once who wait or are slow: they hold no threads, and others are served meanwhile."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp
import psutil
import pytest
import redis
import requests

from api.services import Services
from config.queues import TaskKind
from config.settings import Settings
from store.task_records import NewTask, Outcome
from tests.unit.api.callers import Caller
from tests.unit.api.servers import Server, running_server

MANY = 300
MOST_THREADS = 20
LONG_SECONDS = 60


@pytest.fixture(scope="module")
def server(api_settings: Settings, services: Services) -> Iterator[Server]:
    with running_server(api_settings) as server:
        yield server
        server.stop()


def until_awaited(client: redis.Redis, task_ids: list[str]) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not all(client.hexists(f"recoq:task:{task_id}", "awaited") for task_id in task_ids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def new_tasks(services: Services, account_id: int, count: int) -> list[str]:
    return [services.ledger.submit(NewTask(account_id, TaskKind.RECOGNITION, {})) for _ in range(count)]


async def all_statuses(server: Server, key: str, task_ids: list[str]) -> list[str]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers={"X-API-KEY": key}, connector=connector) as session:

        async def status(task_id: str) -> str:
            async with session.get(f"{server.url}/tasks/{task_id}?wait=60") as response:
                task: dict[str, str] = await response.json()
                return task["status"]

        return await asyncio.gather(*map(status, task_ids))


def test_waiting_clients_hold_no_threads_and_keep_nobody_from_being_served(
    server: Server, admin: Caller, services: Services, api_settings: Settings
) -> None:
    task_ids = new_tasks(services, admin.account_id, MANY)

    async def scenario() -> list[str]:
        waiting = asyncio.create_task(all_statuses(server, admin.key, task_ids))
        await asyncio.to_thread(look_around)
        return await waiting

    def look_around() -> None:
        with redis.Redis.from_url(api_settings.redis_url) as client:
            until_awaited(client, task_ids)
        [process] = psutil.Process(server.process.pid).children()
        assert process.num_threads() < MOST_THREADS
        answer = requests.get(f"{server.url}/accounts/me", headers={"X-API-KEY": admin.key}, timeout=LONG_SECONDS)
        assert answer.status_code == 200
        for task_id in task_ids:
            services.ledger.finish(task_id, None, Outcome(data=b"{}"))

    assert asyncio.run(scenario()) == ["success"] * MANY


def test_clients_that_send_slowly_keep_nobody_from_being_served(server: Server, admin: Caller) -> None:
    head = (
        f"POST /v0.7/recognition/specs HTTP/1.1\r\nHost: x\r\nX-API-KEY: {admin.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    ).encode()
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    for each in slow:
        each.sendall(head)
    answer = requests.get(f"{server.url}/accounts/me", headers={"X-API-KEY": admin.key}, timeout=LONG_SECONDS)
    assert answer.status_code == 200
    for each in slow:
        each.close()


def test_server_that_stops_answers_those_who_wait(api_settings: Settings, admin: Caller, services: Services) -> None:
    task_ids = new_tasks(services, admin.account_id, 3)

    async def scenario(server: Server) -> list[str]:
        waiting = asyncio.create_task(all_statuses(server, admin.key, task_ids))
        await asyncio.to_thread(stop, server)
        return await waiting

    def stop(server: Server) -> None:
        with redis.Redis.from_url(api_settings.redis_url) as client:
            until_awaited(client, task_ids)
        server.stop()

    with running_server(api_settings) as server:
        assert asyncio.run(scenario(server)) == ["pending"] * 3


OBJECT_STORE = """
import api.greenlets
import asyncio
import fsspec
from fsspec.asyn import AsyncFileSystem
import gevent
from api.native_loop import run_object_stores_natively

class Store(AsyncFileSystem):
    protocol = "slow"
    async def _cat_file(self, path, start=None, end=None, **kwargs):
        await asyncio.sleep(0.2)
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)  # in a thread of the loop
        return path.encode()

fsspec.register_implementation("slow", Store)
run_object_stores_natively()
store = fsspec.filesystem("slow")
ticks = []
ticking = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.01)) for _ in range(1000)])
read = [gevent.spawn(store.cat_file, name) for name in ("a", "b", "c")]
gevent.joinall(read, timeout=30)
assert [each.value for each in read] == [b"a", b"b", b"c"], read
assert len(ticks) > 3, ticks
"""


def test_object_stores_work_beside_greenlets_and_do_not_stop_them() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OBJECT_STORE], check=False, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
