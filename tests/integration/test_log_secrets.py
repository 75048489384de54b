"""The log of a running service, at its usual level, names no key, no password and no token of an image's URL."""

import re
import subprocess
from collections.abc import Iterator

import httpx
import psutil
import pytest

from cli.redis_server import prepare_redis, wait_for_redis
from tests.integration.tasks import ended_task
from tests.service import Service, running_service

CLASSIFIER = "/recognition/public/shapes-v1/inference"
WRONG_KEY = "rq_" + "w" * 43
TOKEN = "signature-of-a-private-image"
PASSWORD = "password-in-a-url"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose Redis asks for a password, as that of a fleet does."""
    folder = tmp_path_factory.mktemp("guarded")
    launch = prepare_redis(folder / "redis", over_tcp=True)
    with subprocess.Popen(launch.command, stdout=subprocess.DEVNULL) as redis:
        wait_for_redis(launch.url)
        with running_service(folder / "data", RECOQ_REDIS_URL=launch.url) as service:
            yield service
        redis.terminate()


def passwords_of(service: Service) -> set[str]:
    """Return what stands as a password in the environment of any process of the service."""
    found = set()
    for child in psutil.Process(service.process.pid).children(recursive=True):
        for value in child.environ().values():
            found |= set(re.findall(r"\w+://[^/@\s]*:([^/@\s]{8,})@", value))
    return found


def test_the_log_holds_no_secrets(guarded: Service) -> None:
    passwords = passwords_of(guarded)
    assert passwords  # that of its Redis
    url = f"{guarded.url}/v0.7/recognition/specs"
    assert httpx.get(url, headers={"X-API-KEY": WRONG_KEY}).status_code == 401
    with httpx.Client(base_url=f"{guarded.url}/v0.7", headers={"X-API-KEY": guarded.key}, timeout=30) as http:
        for source in (
            f"http://127.0.0.1:9/image.png?token={TOKEN}",
            f"http://10.0.0.1/image.png?token={TOKEN}",
            f"http://someone:{PASSWORD}@example.com/{TOKEN}.png",
            "data:image/png;base64,AAAA",
        ):
            sent = http.post(CLASSIFIER, json={"inputs": [{"image": {"source": source}}]})
            told = ended_task(http, sent)["error"] if sent.status_code == 202 else sent.text
            assert TOKEN not in told
            assert PASSWORD not in told
    log = guarded.log.read_text()
    assert len(log) > 100
    for secret in (guarded.key, WRONG_KEY, TOKEN, PASSWORD, *passwords):
        assert secret not in log
