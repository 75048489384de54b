"""The operations page against a real service: figures that move, workers, errors, and switching versions."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from demo import LABELS
from tests.integration.pages.browser import Browser, until
from tests.integration.pages.conftest import sign_in
from tests.integration.pages.images import DETECTOR, SHAPES
from tests.integration.tasks import ended_task
from tests.service import Service

Json = dict[str, Any]
CLASSIFICATION = {"output_tensor": "output", "thresholds": [0.5] * len(LABELS)}


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Browser]:
    sign_in(browser, service.url, service.key)
    browser.press("Operations")
    browser.one(".tile")
    return browser


def number_before(words: str, text: str) -> int:
    return int(text.partition(f" {words}")[0].rpartition(" ")[2].replace(",", ""))


def drawn_line(page: Browser) -> str:
    path: str = page.run("return document.querySelector(\"[aria-label=Throughput] .line\").getAttribute('d')")
    return path


def test_figures_and_charts_move_with_what_the_service_does(page: Browser, http: httpx.Client) -> None:
    page.press("5 min")
    before, line = number_before("succeeded", page.text("[aria-label=Throughput] .note")), drawn_line(page)
    for _ in range(10):
        ended_task(http, http.post(DETECTOR, files={"inputs[0]image.source": SHAPES.read_bytes()}))

    def has_moved() -> bool:
        now = number_before("succeeded", page.text("[aria-label=Throughput] .note"))
        return now >= before + 10 and drawn_line(page) != line

    until(has_moved, "the figures stand still")
    page.wait_for_text("#stages", "on the device")
    assert page.shown("#batches .columns li")
    page.wait_for_text("#networks", "Shapes detector v1")


def test_workers_are_shown_with_device_memory_and_networks(page: Browser, http: httpx.Client) -> None:
    ended_task(http, http.post(DETECTOR, files={"inputs[0]image.source": SHAPES.read_bytes()}))
    page.wait_for_text("#workers", "Shapes detector v1")
    (row,) = page.texts("#workers tbody tr")
    assert "cpu" in row or "cuda" in row
    assert "GB" in row
    assert "just now" in row


def test_errors_are_grouped_by_their_sentence(page: Browser, http: httpx.Client) -> None:
    tasks = [
        ended_task(http, http.post(DETECTOR, files={"inputs[0]image.source": b"GIF89a nothing"})) for _ in range(2)
    ]
    sentence = tasks[0]["error"]

    def counted() -> bool:
        groups = [text for text in page.texts(".error-groups li") if sentence in text and "Shapes detector" in text]
        return len(groups) == 1 and int(groups[0].partition("×")[0]) >= 2

    until(counted, "the errors are not there")


@pytest.fixture
def spec(http: httpx.Client) -> Json:
    """A specification with two versions, the first of which is current."""
    labels = [{"id": index, "name": name} for index, name in enumerate(LABELS)]
    body = {"name": "Switched", "outputs": [{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}]}
    spec: Json = http.post("/recognition/specs", json=body).json()
    spec["versions"] = [
        http.post(
            "/recognition/versions",
            json={
                "spec_id": spec["id"],
                "network_id": "shapes-v1",
                "post_processings": [{"classification": CLASSIFICATION}],
            },
        ).json()["id"]
        for _ in range(2)
    ]
    return spec


def test_versions_are_switched_rolled_back_and_the_switch_undone(spec: Json, page: Browser, http: httpx.Client) -> None:
    first, second = spec["versions"]

    def current() -> int:
        return int(http.get(f"/recognition/specs/{spec['id']}").json()["current_version_id"])

    page.choose("#spec", f"Switched ({spec['id']})")
    page.wait_for_text("#versions tr:last-child", "current")
    page.press("Switch to it")
    page.wait_for_text("#switched", f"answers with version {second}")
    assert current() == second
    page.press(f"Roll back to {first}")
    page.wait_for_text("#switched", f"is back at version {first}")
    assert current() == first
    assert page.one("#rollback").get_attribute("disabled")
    page.press(f"Undo: version {second}")
    page.wait_for_text("#switched", f"answers with version {second}")
    assert current() == second


def test_a_switch_that_is_refused_is_said(spec: Json, page: Browser, http: httpx.Client) -> None:
    page.choose("#spec", f"Switched ({spec['id']})")
    page.wait_for_text("#versions tr:last-child", "current")
    http.delete(f"/recognition/versions/{spec['versions'][1]}")
    page.press("Switch to it")
    page.one("#switched [role=alert]")


def test_a_service_that_is_away_is_said_until_it_is_back(page: Browser) -> None:
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.command("Network.enable")
    page.command("Network.emulateNetworkConditions", offline=True, **conditions)
    page.wait_for_text("#freshness.stale", "cannot be reached")
    page.command("Network.emulateNetworkConditions", offline=False, **conditions)
    page.wait_for_text("#freshness:not(.stale)", "live")
    assert all("ERR_INTERNET_DISCONNECTED" in complaint for complaint in page.console())


def test_a_reading_key_may_not_see_it(browser: Browser, service: Service, reading_key: str) -> None:
    sign_in(browser, service.url, reading_key)
    browser.driver.get(f"{service.url}/ops")
    browser.wait_for_text("#sign-in h1", "takes an admin key")
