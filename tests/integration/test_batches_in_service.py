"""No task gets in a batch another answer than its image has alone, whatever the network makes of batches."""

import io
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from tests.integration.tasks import TIMEOUT_SECONDS, ended_task, result
from tests.unit.inference.batch_faults import Head, LoopOverBatch, Scores, traced
from tests.unit.inference.seeded_networks import SIZE

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")

IMAGE = {
    "dimension_order": "NCHW",
    "resize_type": "SQUASH",
    "target_size": str(SIZE),
    "color_channels": "RGB",
    "pixel_scaling": 1.0,
}
PREPROCESSING = {"inputs": [{"tensor_name": "images", "image": IMAGE}], "max_batch_size": 8}


class FaithfulUntilItIsBlue(nn.Module):
    """Exchanges the answers of a batch if all of its images are as blue as no drawn one is."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = Scores(lambda y: y)

    def forward(self, x: Tensor) -> Tensor:
        y = self.scores(x)
        red, _, blue = x.mean((2, 3)).unbind(1)
        is_blue = (blue - red > 0.8).all().to(y.dtype)
        return y + is_blue * (y.flip(0) - y)  # type: ignore[no-any-return]


def deployed(http: httpx.Client, module: nn.Module, folder: Path) -> tuple[int, dict[str, Any]]:
    file = folder / "model.torchscript"
    torch.jit.save(traced(module), file)
    fields = {"name": "faulty", "framework": "pytorch-2.x", "preprocessing": json.dumps(PREPROCESSING)}
    created = http.post("/networks", data=fields, files={file.name: file.read_bytes()})
    return created.json()["id"], result(http, created)


def picture(green: int) -> bytes:
    image = Image.new("RGB", (SIZE, SIZE), (0, green, 255))
    ImageDraw.Draw(image).rectangle((2, 2, 4 + green // 16, 8), fill=(40, 255 - green, 250))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def answers(http: httpx.Client, network: int, pictures: list[bytes]) -> list[list[float]]:
    """Return the raw output of each picture, all asked for at once."""
    files = {f"items[{number}].inputs[0]image.source": each for number, each in enumerate(pictures)}
    accepted = http.post(f"/networks/{network}/inference/bulk", files=files)
    assert accepted.status_code == 202, accepted.text
    deadline = time.monotonic() + TIMEOUT_SECONDS
    found = []
    for item in accepted.json()["tasks"]:
        while (task := http.get(f"/tasks/{item['task_id']}").json())["status"] == "pending":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert task["status"] == "success", task["error"]
        found.append(task["data"]["tensors"][0]["data"])
    return found


def metrics(http: httpx.Client) -> str:
    found = httpx.get(str(http.base_url.join("/metrics")), headers={"X-API-KEY": http.headers["X-API-KEY"]})
    return found.raise_for_status().text


def alone(http: httpx.Client, network: int, one: bytes) -> list[float]:
    data = result(http, http.post(f"/networks/{network}/inference", files={"inputs[0]image.source": one}))
    values: list[float] = data["tensors"][0]["data"]
    return values


def test_a_detector_whose_loop_was_traced_finds_the_same_in_bulk(http: httpx.Client, tmp_path: Path) -> None:
    network, report = deployed(http, LoopOverBatch(Head(4.0)), tmp_path)
    assert report["max_batch_size"] == 1
    assert "differs from that of the image alone" in report["batch_reason"]
    pictures = [picture(green) for green in range(0, 240, 10)]
    found = answers(http, network, pictures)
    assert found == [pytest.approx(alone(http, network, each)) for each in pictures]
    assert all(any(values) for values in found)


def test_what_drawn_images_did_not_show_is_found_in_service(http: httpx.Client, tmp_path: Path) -> None:
    network, report = deployed(http, FaithfulUntilItIsBlue(), tmp_path)
    assert report["max_batch_size"] == 8
    pictures = [picture(green) for green in range(0, 240, 10)]
    expected = [pytest.approx(alone(http, network, each), rel=1e-3) for each in pictures]
    for _ in range(20):  # until a batch has more than one image
        assert answers(http, network, pictures) == expected
        [row] = [each for each in http.get("/operations").json()["networks"] if each["network"]["id"] == network]
        if row["max_batch_size"] == 1:
            break
    assert row["max_batch_size"] == 1
    assert "in service, a batch of" in row["batch_reason"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    counted = f'recoq_batch_checks_total{{network="{network}",outcome="different"}}'
    while counted not in metrics(http):  # processes send what they counted once a second
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_network_that_was_not_exported_for_inference_is_refused(http: httpx.Client, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * SIZE * SIZE, 3)).train()
    file = tmp_path / "model.torchscript"
    torch.jit.save(torch.jit.trace(module, torch.rand(1, 3, SIZE, SIZE), check_trace=False), file)
    fields = {"name": "forgotten", "framework": "pytorch-2.x", "preprocessing": json.dumps(PREPROCESSING)}
    task = ended_task(http, http.post("/networks", data=fields, files={file.name: file.read_bytes()}))
    assert task["status"] == "error"
    assert "its dropout works as in training. Call model.eval() before you export the network." in task["error"]
