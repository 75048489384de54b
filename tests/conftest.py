"""Fixtures that every kind of test may need: a real Redis, and an environment without settings of the developer."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from xdist.scheduler import LoadFileScheduling

from cli.redis_server import wait_for_redis
from tests.redis_servers import prepare_test_redis

ONE_AFTER_ANOTHER = ("tests/integration/", "tests/chaos/")


class FilesAndServices(LoadFileScheduling):  # type: ignore[misc]  # xdist exports no types
    """Shares tests out among processes: those of a file together, and all together that use the one running service."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in ONE_AFTER_ANOTHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndServices:
    """Return what decides which process runs which tests."""
    return FilesAndServices(config, log)


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RECOQ_", "DEEPOMATIC_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _umask_of_the_developer() -> Iterator[None]:
    """Undo what a command of the test did: it has its process write for its user alone."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server that this test run started; its content is shared by the tests of the run."""
    folder: Path = tmp_path_factory.mktemp("redis")
    launch = prepare_test_redis(folder)
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as process:
        wait_for_redis(launch.url)
        yield launch.url
        process.terminate()


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """The URL of the test run's Redis, emptied before the test."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url
