"""The yardstick: what PyTorch does without any service around it.

``python -m benchmarks.bare_loop BUILDER SECONDS`` decodes and prepares JPEGs ahead in one thread, runs them in the best
batch size and prints images per second, and the median time of one decode with one forward. Same precision and
preprocessing as the service.
"""

import json
import queue
import statistics
import sys
import threading
import time

import torch
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import functional

from benchmarks.workload import build_network, jpegs

BATCH_SIZES = (4, 8, 16, 32)
QUEUED_BATCHES = 2
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def prepare(jpeg: torch.Tensor) -> torch.Tensor:
    """Return the (3, 224, 224) float32 tensor of a JPEG."""
    image = functional.resize(decode_jpeg(jpeg, ImageReadMode.RGB), [224, 224], antialias=True)
    return (image.float().div_(255) - MEAN) / STD


def images_per_second(network: torch.nn.Module, images: list[torch.Tensor], batch_size: int, seconds: float) -> float:
    """Return the throughput of a loop whose batches are prepared ahead by one thread."""
    ahead: queue.Queue[torch.Tensor] = queue.Queue(QUEUED_BATCHES)
    done = threading.Event()

    def prepare_ahead() -> None:
        index = 0
        while not done.is_set():
            chosen = [images[(index + offset) % len(images)] for offset in range(batch_size)]
            index += batch_size
            ahead.put(torch.stack([prepare(image) for image in chosen]))

    thread = threading.Thread(target=prepare_ahead, daemon=True)
    thread.start()
    count, start = -batch_size, time.perf_counter()
    while time.perf_counter() - start < seconds:
        network(ahead.get()).softmax(1).tolist()
        count += batch_size
        if not count:  # the first batch warms up
            start = time.perf_counter()
    rate = count / (time.perf_counter() - start)
    done.set()
    while thread.is_alive():
        ahead.get()
        thread.join(0.01)
    return rate


def lone_milliseconds(network: torch.nn.Module, images: list[torch.Tensor]) -> float:
    """Return the median time from JPEG bytes to scores for one image at a time."""
    times = []
    for image in images:
        start = time.perf_counter()
        network(prepare(image)[None]).softmax(1).tolist()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Measure one network and print a JSON object."""
    builder, seconds = sys.argv[1], float(sys.argv[2])
    network = build_network(builder)
    images = [torch.frombuffer(bytearray(jpeg), dtype=torch.uint8) for jpeg in jpegs()]
    with torch.inference_mode():
        rates = {size: images_per_second(network, images, size, seconds) for size in BATCH_SIZES}
        lone = lone_milliseconds(network, images)
    best = max(rates, key=lambda size: rates[size])
    print(json.dumps({"images_per_second": rates[best], "batch_size": best, "lone_milliseconds": lone}))


if __name__ == "__main__":
    main()
