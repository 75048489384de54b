"""The request as text: what is copied from the page runs as it is, and gives what the page shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.file_server import served
from tests.integration.pages.browser import Browser
from tests.integration.pages.images import SHAPES, pick
from tests.service import Service

AWKWARD = 'it\'s a "shape" & $HOME.jpg'


@pytest.fixture
def shown(signed_in: Browser, tmp_path: Path) -> Browser:
    """A page that shows the answer about an image whose name is hard on shells."""
    image = tmp_path / AWKWARD
    image.write_bytes(SHAPES.read_bytes())
    signed_in.choose("#spec", "Shapes detector v1")
    signed_in.wait_for_text("#about-spec", "boxes")
    pick(signed_in, image)
    signed_in.one(".score-row")
    return signed_in


def copied(browser: Browser, name: str) -> str:
    browser.press(name)
    browser.one(".code pre")
    text: str = browser.run("return document.querySelector('.code pre').textContent")
    return text


def printed(command: list[str], folder: Path, service: Service) -> str:
    environment = {**os.environ, "RECOQ_KEY": service.key, "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_curl_gives_what_the_page_shows(shown: Browser, service: Service, tmp_path: Path) -> None:
    page = json.loads(copied(shown, "JSON"))
    script = copied(shown, "curl")
    assert service.key not in script
    assert json.loads(printed(["sh", "-c", script], tmp_path, service))["data"] == page["data"]


def test_python_gives_what_the_page_shows(shown: Browser, service: Service, tmp_path: Path) -> None:
    page = json.loads(copied(shown, "JSON"))
    program = copied(shown, "Python")
    assert service.key not in program
    lines = printed([sys.executable, "-W", "ignore", "-c", program], tmp_path, service).splitlines()
    predicted = page["data"]["outputs"][0]["labels"]["predicted"]
    assert [line.split()[0] for line in lines] == [each["label_name"] for each in predicted]


def test_an_address_stands_in_both(signed_in: Browser, service: Service, tmp_path: Path) -> None:
    with served(SHAPES.parent) as host:
        signed_in.fill("#url", f"{host}/star.jpg")
        signed_in.press("Add")
        signed_in.one(".score-row")
        page = json.loads(copied(signed_in, "JSON"))
        script = copied(signed_in, "curl")
        assert json.loads(printed(["sh", "-c", script], tmp_path, service))["data"] == page["data"]
        program = copied(signed_in, "Python")
        assert printed([sys.executable, "-W", "ignore", "-c", program], tmp_path, service).startswith("star")
