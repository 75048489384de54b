"""Images are prepared as the network wants; many threads at once stay within the memory that the settings allow."""

import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from config.queues import TaskKind
from config.settings import read_settings
from inference.device_decoding import DeviceDecoder
from inference.loaded_network import LoadedNetwork
from inference.network import ImageSpec, NetworkDescription
from inference.preprocess import Prepared
from store.task_records import ClaimedTask
from tests.unit.inference.jpegs import damaged, photo
from workers.errors import TaskFailure
from workers.image_inputs import ImageInputs
from workers.stopwatch import Stopwatch

THREADS = 8
SIDE = 4000  # 24 bytes of budget a pixel: 384 MB an image
BUDGET_BYTES = 400_000_000

# In a process of its own, whose peak of memory is its alone.
PROGRAM = f"""
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from PIL import Image

from config.queues import TaskKind
from config.settings import read_settings
from inference.loaded_network import LoadedNetwork
from inference.network import NetworkDescription
from store.task_records import ClaimedTask
from workers.image_inputs import ImageInputs
from workers.stopwatch import Stopwatch

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

image = {{"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "8x8", "color_channels": "RGB"}}
description = NetworkDescription.from_json({{"inputs": [{{"tensor_name": "x", "image": image}}]}})
network = LoadedNetwork(torch.nn.Identity(), description, torch.device("cpu"), weight_bytes=0)
settings = replace(read_settings(), decode_memory_bytes={BUDGET_BYTES})
inputs = ImageInputs(settings)

def prepare(side):
    stream = io.BytesIO()
    Image.new("RGB", (side, side)).save(stream, "PNG", compress_level=1)
    request = {{"inputs": [{{"source": {{"staged": 0}}}}]}}
    task = ClaimedTask("1", 1, TaskKind.RECOGNITION, 1, 1, request, [stream.getvalue()], queued_seconds=0.0)
    return lambda: list(inputs.prepare(task, {{}}, network, Stopwatch()))

prepare(8)()
large = prepare({SIDE})
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
with ThreadPoolExecutor({THREADS}) as pool:
    for future in [pool.submit(large) for _ in range({THREADS})]:
        future.result()
print(memory("VmHWM") - before)
"""


def prepared_by(inputs: ImageInputs, task: ClaimedTask, network: LoadedNetwork) -> list[Prepared]:
    steps = inputs.prepare(task, {}, network, Stopwatch())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            prepared: list[Prepared] = end.value
            return prepared


def test_many_large_images_at_once_stay_within_the_budget() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
    assert int(result.stdout) < 1.1 * BUDGET_BYTES


@pytest.mark.parametrize("region", [{}, {"bbox": {"xmin": 0.1, "ymin": 0.2, "xmax": 0.95, "ymax": 0.9}}])
def test_network_that_allows_it_gets_large_jpegs_decoded_at_a_fraction_of_their_size(region: dict[str, object]) -> None:
    settings, stream = read_settings(), io.BytesIO()
    y, x = np.mgrid[0:300, 0:400]
    Image.fromarray(np.stack([x * 0.6, y * 0.8, 255 - x * 0.6], axis=-1).astype(np.uint8)).save(stream, "JPEG")
    prepared = {}
    for decoding in ("EXACT", "SCALED"):
        image = {"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "24x18", "color_channels": "RGB"}
        inputs = [{"tensor_name": "x", "image": {**image, "decoding": decoding}}]
        description = NetworkDescription.from_json({"inputs": inputs})
        network = LoadedNetwork(torch.nn.Identity(), description, torch.device("cpu"), weight_bytes=0)
        request = {"inputs": [{"source": {"staged": 0}, **region}]}
        task = ClaimedTask("1", 1, TaskKind.RECOGNITION, 1, 1, request, [stream.getvalue()], queued_seconds=0.0)
        [prepared[decoding]] = prepared_by(ImageInputs(settings), task, network)
    assert prepared["SCALED"].placement == prepared["EXACT"].placement
    assert 0 < (prepared["SCALED"].tensor - prepared["EXACT"].tensor).abs().max() <= 4


def test_images_are_prepared_without_helpers() -> None:
    """Each thread that prepares images would have helpers of its own, and they would slow the network's."""
    before, stream = torch.get_num_threads(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    image = {"dimension_order": "NHWC", "resize_type": "SQUASH", "target_size": "1000x1000", "color_channels": "BGR"}
    description = NetworkDescription.from_json({"inputs": [{"tensor_name": "x", "image": image}]})
    network = LoadedNetwork(torch.nn.Identity(), description, torch.device("cpu"), weight_bytes=0)
    request = {"inputs": [{"source": {"staged": 0}}]}
    task = ClaimedTask("1", 1, TaskKind.RECOGNITION, 1, 1, request, [stream.getvalue()], queued_seconds=0.0)
    torch.set_num_threads(3)  # which a new thread takes over

    def prepare() -> set[int]:
        there = {thread.id for thread in psutil.Process().threads()}
        prepared_by(ImageInputs(read_settings()), task, network)
        return {thread.id for thread in psutil.Process().threads()} - there

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(prepare).result() == set()
    torch.set_num_threads(before)


class OnDevice(LoadedNetwork):
    """Takes pixels as a network on a GPU does."""

    def normalises(self, spec: ImageSpec) -> bool:
        return True


def recognition(*images: bytes) -> ClaimedTask:
    request = {"inputs": [{"source": {"staged": index}} for index in range(len(images))]}
    return ClaimedTask("1", 1, TaskKind.RECOGNITION, 1, 1, request, list(images), queued_seconds=0.0)


def device_network() -> LoadedNetwork:
    image = {"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "24x18", "color_channels": "RGB"}
    inputs = [{"tensor_name": "x", "image": {**image, "decoding": "DEVICE"}}]
    device = torch.device("cpu")
    return OnDevice(torch.nn.Identity(), NetworkDescription.from_json({"inputs": inputs}), device, weight_bytes=0)


@pytest.fixture
def decoder() -> Iterator[DeviceDecoder]:
    made = DeviceDecoder(torch.device("cpu"))
    yield made
    made.close()


def test_tasks_that_share_a_message_hand_their_images_over_before_they_wait(decoder: DeviceDecoder) -> None:
    inputs, network = ImageInputs(read_settings(), decoder), device_network()
    runs = [inputs.prepare(recognition(photo()), {}, network, Stopwatch()) for _ in range(3)]
    futures = [next(run) for run in runs]
    assert len(set(map(id, futures))) == 3
    [expected] = prepared_by(ImageInputs(read_settings()), recognition(photo()), network)
    for run, future in zip(runs, futures, strict=True):
        assert torch.equal(future.result(20).tensor, expected.tensor)
        with pytest.raises(StopIteration):
            next(run)


def test_image_that_the_device_cannot_decode_tells_what_is_wrong_with_it(decoder: DeviceDecoder) -> None:
    inputs = ImageInputs(read_settings(), decoder)
    with pytest.raises(TaskFailure, match=r"^inputs\.0\.image: The image is damaged"):
        prepared_by(inputs, recognition(damaged(photo())), device_network())
