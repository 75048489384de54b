"""The log of a running service, at its usual level, names no key, no password and no token of an image's URL."""

import re

import httpx
import psutil

from tests.integration.tasks import ended_task
from tests.service import Service

CLASSIFIER = "/recognition/public/shapes-v1/inference"
WRONG_KEY = "rq_" + "w" * 43
TOKEN = "signature-of-a-private-image"
PASSWORD = "password-in-a-url"


def passwords_of(service: Service) -> set[str]:
    """Return what stands as a password in the environment of any process of the service."""
    found = set()
    for child in psutil.Process(service.process.pid).children(recursive=True):
        for value in child.environ().values():
            found |= set(re.findall(r"\w+://[^/@\s]*:([^/@\s]{8,})@", value))
    return found


def test_the_log_holds_no_secrets(service: Service, http: httpx.Client) -> None:
    passwords = passwords_of(service)
    assert passwords  # that of the embedded Redis
    url = f"{service.url}/v0.7/recognition/specs"
    assert httpx.get(url, headers={"X-API-KEY": WRONG_KEY}).status_code == 401
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
    log = service.log.read_text()
    assert len(log) > 100
    for secret in (service.key, WRONG_KEY, TOKEN, PASSWORD, *passwords):
        assert secret not in log
