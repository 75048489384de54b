"""The embedded Redis listens where its user alone can connect: on a socket of its folder, or else with a password."""

import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from cli.redis_server import SOCKET, URL_FILE, RedisLaunch, prepare_redis, wait_for_redis


@contextmanager
def running(launch: RedisLaunch) -> Iterator[psutil.Process]:
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as process:
        wait_for_redis(launch.url)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def readable_by_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def test_only_its_user_can_connect_and_nobody_over_the_network(tmp_path: Path) -> None:
    launch = prepare_redis(tmp_path)
    with running(launch) as server:
        assert launch.url == f"unix://{tmp_path / SOCKET}"
        assert answers(launch.url)
        assert not server.net_connections("inet")
        assert not readable_by_others(tmp_path / SOCKET)


def test_socket_of_a_server_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    for _ in range(2):
        launch = prepare_redis(tmp_path)
        with running(launch):
            assert answers(launch.url)


def test_folder_may_have_any_name(tmp_path: Path) -> None:
    launch = prepare_redis(tmp_path / "a b?c%20d#é")
    with running(launch):
        assert launch.url.startswith("unix:")
        assert answers(launch.url)


@pytest.mark.parametrize(("name", "over_tcp"), [("x" * 120, False), ("short", True)])
def test_elsewhere_it_listens_on_loopback_with_a_password(tmp_path: Path, name: str, over_tcp: bool) -> None:
    folder = tmp_path / name
    launch = prepare_redis(folder, over_tcp=over_tcp)
    with running(launch) as server:
        assert answers(launch.url)
        assert str(urlsplit(launch.url).password) not in " ".join(server.cmdline())
        assert {connection.laddr.ip for connection in server.net_connections("inet")} == {"127.0.0.1"}
        with pytest.raises(redis.AuthenticationError):
            answers(f"redis://{launch.url.partition('@')[2]}")
    assert prepare_redis(folder, over_tcp=over_tcp).url.partition("@")[0] != launch.url.partition("@")[0]
    assert not readable_by_others(folder / "redis.conf")
    assert not readable_by_others(folder / URL_FILE)
