"""The yardstick: what tuned PyTorch does without any service around it.

``python -m benchmarks.bare_loop BUILDER PRECISION FORM SECONDS BATCH_SIZE...`` prints the median time of one decode
with one forward; then it decodes and prepares JPEGs ahead in one thread, runs them in batches of each size, and prints
the images per second of each.
"""

import json
import queue
import statistics
import sys
import threading
import time

from torch import Tensor

from benchmarks.photos import jpegs
from benchmarks.tuned import TunedNetwork

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
QUEUED_BATCHES = 2


def images_per_second(network: TunedNetwork, images: list[bytes], batch_size: int, seconds: float) -> float:
    """Return the throughput of a loop whose batches are prepared ahead by one thread."""
    ahead: queue.Queue[Tensor] = queue.Queue(QUEUED_BATCHES)
    done = threading.Event()

    def prepare_ahead() -> None:
        index = 0
        while not done.is_set():
            chosen = [images[(index + offset) % len(images)] for offset in range(batch_size)]
            index += batch_size
            ahead.put(network.stack([network.prepare(image) for image in chosen]))

    thread = threading.Thread(target=prepare_ahead, daemon=True)
    thread.start()
    count, start = -batch_size, time.perf_counter()
    while time.perf_counter() - start < seconds:
        network.scores(ahead.get())
        count += batch_size
        if not count:  # the first batch warms up
            start = time.perf_counter()
    rate = count / (time.perf_counter() - start)
    done.set()
    while thread.is_alive():
        if not ahead.empty():
            ahead.get_nowait()
        thread.join(0.01)
    return rate


def lone_milliseconds(network: TunedNetwork, images: list[bytes]) -> float:
    """Return the median time from JPEG bytes to scores for one image at a time."""
    times = []
    for image in images:
        start = time.perf_counter()
        network.scores(network.stack([network.prepare(image)]))
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Measure one network and print a JSON object."""
    builder, precision, form, seconds, *sizes = sys.argv[1:]
    network, images = TunedNetwork(builder, precision, form), jpegs()
    lone_milliseconds(network, images)  # the first images warm up
    lone = lone_milliseconds(network, images)
    rates = {size: images_per_second(network, images, int(size), float(seconds)) for size in sizes}
    print(json.dumps({"lone_milliseconds": lone, "images_per_second": rates}))


if __name__ == "__main__":
    main()
