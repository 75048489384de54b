"""Uploading a model through the form, against a real service whose worker really loads it."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from demo import MODELS_FOLDER
from tests.integration.pages.browser import Browser
from tests.integration.pages.conftest import sign_in
from tests.integration.pages.images import SHAPES, pick
from tests.service import Service

CLASSIFIER = MODELS_FOLDER / "shapes-v1"
LABELS = ["circle", "square", "triangle", "star"]
WEIGHTS = [CLASSIFIER / "architecture.json", CLASSIFIER / "weights.safetensors"]


@pytest.fixture
def form(browser: Browser, service: Service) -> Browser:
    sign_in(browser, service.url, service.key)
    browser.press("Upload")
    browser.one("#target")
    return browser


def count(http: httpx.Client, path: str) -> int:
    return int(http.get(path).json()["count"])


def fill_in(form: Browser, name: str, labels: list[str]) -> None:
    form.fill("#name", name)
    form.fill("#labels", "\n".join(labels))
    form.fill("#size", "128x128")
    form.choose("#numbers", "−1 to 1")


def deploy(form: Browser, words: str) -> None:
    form.press("Upload and deploy")
    form.wait_for_text("#progress .message", words)


def test_a_model_is_described_uploaded_deployed_and_tried(form: Browser) -> None:
    pick(form, *WEIGHTS)
    form.wait_for_text("#file-verdict", "complete")
    fill_in(form, "Uploaded shapes", LABELS)
    deploy(form, "is deployed")
    assert form.texts(".steps .note")[-2].startswith("It gives output")
    assert len(form.shown(".steps .done")) == 4
    form.press("Try it in the playground")
    form.wait_for_text("#about-spec", "version")
    pick(form, SHAPES.with_name("star.jpg"))
    assert form.text(".score-row").startswith("star")


def test_a_mistake_in_the_labels_is_mended_without_sending_the_weights_again(form: Browser, http: httpx.Client) -> None:
    before = {path: count(http, path) for path in ("/networks", "/recognition/specs")}
    pick(form, *WEIGHTS)
    fill_in(form, "Mended shapes", LABELS[:3])
    deploy(form, "3 values are needed")
    assert "3 values are needed" in form.text(".field-problem")
    network = form.texts(".steps .note")[1]
    form.fill("#labels", "\n".join(LABELS))
    deploy(form, "is deployed")
    assert form.texts(".steps .note")[1] == network
    assert {path: count(http, path) for path in before} == {path: number + 1 for path, number in before.items()}


def test_what_is_missing_is_said_beside_its_field_before_anything_is_sent(form: Browser, http: httpx.Client) -> None:
    before = count(http, "/recognition/specs")
    pick(form, WEIGHTS[1])
    form.press("Upload and deploy")
    assert form.texts(".field-problem") == ["Give the model a name.", "Give at least one label."]
    assert form.text("[data-problem=files]") == "weights.safetensors needs architecture.json beside it."
    assert form.run("return document.activeElement.id") == "name"
    assert form.one("#name").get_attribute("aria-invalid") == "true"
    assert count(http, "/recognition/specs") == before


def test_weights_that_no_worker_can_load_are_told_in_the_sentence_of_the_service(
    form: Browser, http: httpx.Client, tmp_path: Path
) -> None:
    before = {path: count(http, path) for path in ("/networks", "/recognition/specs")}
    (tmp_path / "architecture.json").write_text('{"builder": "resnet18", "kwargs": {"num_classes": 4}}')
    shutil.copy(WEIGHTS[1], tmp_path)
    pick(form, tmp_path / "architecture.json", tmp_path / "weights.safetensors")
    fill_in(form, "Not these weights", LABELS)
    form.press("Upload and deploy")
    form.one("#progress [role=alert]")
    assert form.text(".steps .failed") == "Deployment by a worker"
    assert len(form.text("#progress [role=alert]")) > 20
    assert {path: count(http, path) for path in before} == before


def test_a_file_that_is_refused_is_told_beside_the_files(form: Browser, http: httpx.Client, tmp_path: Path) -> None:
    before = count(http, "/recognition/specs")
    (tmp_path / "weights.safetensors").write_bytes(b"no weights at all")
    pick(form, WEIGHTS[0], tmp_path / "weights.safetensors")
    fill_in(form, "Broken file", LABELS)
    form.press("Upload and deploy")
    form.wait_for_text("[data-problem=files]", "weights.safetensors: ")
    assert form.text(".steps .failed") == "Upload"
    assert not form.shown(".steps .current")
    assert not form.shown(".field-problem")
    assert count(http, "/recognition/specs") == before


def test_a_folder_with_model_json_needs_no_more_than_a_click(form: Browser) -> None:
    form.all("#folder")[0].send_keys(str(CLASSIFIER))
    form.one("textarea.json")
    described = json.loads((CLASSIFIER / "model.json").read_text())
    assert form.one("#name").get_attribute("value") == described["name"]
    assert json.loads(form.one("textarea.json").get_attribute("value")) == described
    deploy(form, "is deployed")


def test_a_new_version_of_a_specification_answers_at_once(form: Browser, http: httpx.Client) -> None:
    labels = [{"id": index, "name": name} for index, name in enumerate(LABELS)]
    outputs = [{"labels": {"labels": labels, "exclusive": True, "roi": "NONE"}}]
    spec = http.post("/recognition/specs", json={"name": "Waiting for a model", "outputs": outputs}).json()
    form.driver.refresh()
    form.choose("#target", f"Waiting for a model ({spec['id']})")
    form.one("#switch-row")
    assert not form.shown("#labels")
    pick(form, *WEIGHTS)
    form.fill("#name", "Version of shapes")
    form.fill("#size", "128x128")
    deploy(form, "is deployed")
    assert http.get(f"/recognition/specs/{spec['id']}").json()["current_version_id"] is not None


def test_a_key_that_may_only_read_is_told_so(browser: Browser, service: Service, reading_key: str) -> None:
    sign_in(browser, service.url, reading_key)
    assert browser.texts("nav a") == ["Playground", "API"]
    browser.driver.get(f"{service.url}/upload")
    browser.wait_for_text("#sign-in h1", "takes an admin key")
