"""A network that would bring a worker down fails its own deployment, and nobody else notices."""

import io
import json
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from tests.integration.tasks import ended_task, result
from tests.service import Service
from tests.unit.workers.hostile_networks import PREPROCESSING, Crashing, write

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")

CLASSIFIER = "/recognition/public/shapes-v1/inference"


def ask(http: httpx.Client, path: str) -> httpx.Response:
    image = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(image, "PNG")
    return http.post(path, files={"inputs[0]image.source": image.getvalue()})


def worker_pids(service: Service) -> set[int]:
    children = psutil.Process(service.process.pid).children(recursive=True)
    return {child.pid for child in children if "workers.main" in child.cmdline()}


def test_a_network_that_crashes_fails_alone(service: Service, http: httpx.Client, tmp_path: Path) -> None:
    result(http, ask(http, CLASSIFIER))
    before = worker_pids(service)
    assert before
    file = write(Crashing(), tmp_path) / "model.torchscript"
    fields = {"name": "crashing", "framework": "pytorch-2.x", "preprocessing": json.dumps(PREPROCESSING)}
    created = http.post("/networks", data=fields, files={"model.torchscript": file.read_bytes()})
    early = ask(http, f"/networks/{created.json()['id']}/inference")
    deployment = ended_task(http, created)
    assert deployment["status"] == "error"
    assert "crashed the process that tried it" in deployment["error"]
    assert "crashed the process that tried it" in ended_task(http, early)["error"]
    late = ended_task(http, ask(http, f"/networks/{created.json()['id']}/inference"))
    assert late["error"].startswith("The network could not be deployed")
    result(http, ask(http, CLASSIFIER))
    assert worker_pids(service) == before
