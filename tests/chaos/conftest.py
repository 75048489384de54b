"""One fleet of two workers for the tests that break it in one way each; what is dead is started again after each."""

import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from tests.chaos.fleet import Fleet, running_fleet, wait_until

DRAIN_SECONDS = 2.0
DEVICE_TIMEOUT_SECONDS = 4.0


@pytest.fixture(scope="session")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {
        "RECOQ_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "RECOQ_DEVICE_TIMEOUT_SECONDS": str(DEVICE_TIMEOUT_SECONDS),
        "RECOQ_URL_TIMEOUT_SECONDS": "60",
    }
    with running_fleet(tmp_path_factory.mktemp("chaos") / "fleet", workers=2, **settings) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    yield shared_fleet
    shared_fleet.redis.thaw()
    if shared_fleet.redis.ended:
        shared_fleet.restart_redis()
    for worker in shared_fleet.workers:
        worker.thaw()
        if worker.ended:
            worker.start()
    with shared_fleet.ledger() as ledger:
        wait_until(lambda: not ledger.hgetall("recoq:backlog"))


@pytest.fixture
def http(fleet: Fleet) -> Iterator[httpx.Client]:
    with fleet.http() as client:
        yield client


def grey_image(brightness: int) -> bytes:
    """A plain image as PNG, every pixel of this brightness."""
    buffer = io.BytesIO()
    Image.new("L", (32, 32), brightness).save(buffer, "PNG")
    return buffer.getvalue()
