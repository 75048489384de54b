"""The yardstick on a GPU: JPEGs to scores as fast as this machine does it without any service around it.

``python -m benchmarks.pipeline BUILDER PRECISION FORM DECODING SECONDS BATCH_SIZE...`` decodes and resizes, in a thread
for each core (``EXACT``) or on the GPU (``DEVICE``), whole batches of pixels; one more thread has the GPU replay the
network, as a recording of that batch size. It prints the images per second with each batch size.
"""

import json
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import functional

from benchmarks.photos import jpegs
from benchmarks.tuned import SIDE, TunedNetwork
from config.cores import usable_cores

EXACT = "EXACT"
DEVICE_THREADS = 2  # one prepares while the decoder is busy with the other's
QUEUED_BATCHES = 32
WARM_UPS = 3
WARM_UP_SHARE = 0.25
AHEAD = 2  # batches that the GPU has been given before the results of the first one are read


class Recording:
    """A network that the GPU replays for batches of one size."""

    def __init__(self, network: TunedNetwork, size: int) -> None:
        self._device = network.device
        room = torch.zeros((size, SIDE, SIDE, 3), dtype=torch.uint8, device=self._device)
        self._room = room.permute(0, 3, 1, 2)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                network.forward(self._room)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._scores = network.forward(self._room)

    def begin(self, batch: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        """Have the GPU run a batch; return where its scores will be when the event has come."""
        self._room.copy_(batch, non_blocking=True)
        self._graph.replay()
        scores = torch.empty(self._scores.shape, pin_memory=True).copy_(self._scores, non_blocking=True)
        done = torch.cuda.Event(blocking=True)
        done.record()
        return scores, done


Decode = Callable[[TunedNetwork, list[bytes]], Tensor]


def decode_on_cpu(network: TunedNetwork, images: list[bytes]) -> Tensor:
    """Return a batch of pixels in page-locked memory."""
    torch.set_num_threads(1)
    return network.stack([network.prepare(image) for image in images])


def decode_on_device(network: TunedNetwork, images: list[bytes]) -> Tensor:
    """Return a batch of pixels on the GPU, where they have arrived."""
    encoded = [torch.frombuffer(bytearray(image), dtype=torch.uint8) for image in images]
    with torch.cuda.stream(_stream()):
        pixels = torch.stack(decode_jpeg(encoded, ImageReadMode.RGB, network.device))
        batch = functional.resize(pixels, [SIDE, SIDE], antialias=True).contiguous(memory_format=torch.channels_last)
        torch.cuda.current_stream().synchronize()
    return batch


_streams = threading.local()


def _stream() -> torch.cuda.Stream:
    """Return this thread's own."""
    if not hasattr(_streams, "own"):
        _streams.own = torch.cuda.Stream()
    own: torch.cuda.Stream = _streams.own
    return own


class Decoders:
    """Threads, each of which decodes whole batches ahead until the block ends."""

    def __init__(self, network: TunedNetwork, images: list[bytes], batch_size: int, decoding: str) -> None:
        self._network = network
        self._images = images
        self._batch_size = batch_size
        self._done = threading.Event()
        count, decode = (usable_cores(), decode_on_cpu) if decoding == EXACT else (DEVICE_THREADS, decode_on_device)
        self._threads = [threading.Thread(target=self._run, args=(number, decode)) for number in range(count)]
        self.ahead: queue.Queue[Tensor] = queue.Queue(QUEUED_BATCHES)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        while any(thread.is_alive() for thread in self._threads):
            if not self.ahead.empty():
                self.ahead.get_nowait()
            self._threads[0].join(0.001)

    def _run(self, index: int, decode: Decode) -> None:
        while not self._done.is_set():
            chosen = [self._images[(index + offset) % len(self._images)] for offset in range(self._batch_size)]
            index += self._batch_size
            self.ahead.put(decode(self._network, chosen))


def images_per_second(
    network: TunedNetwork, images: list[bytes], batch_size: int, decoding: str, seconds: float
) -> float:
    """Return the throughput of a pipeline whose batches are decoded ahead."""
    recording = Recording(network, batch_size)
    running = deque[tuple[Tensor, Tensor, torch.cuda.Event]]()
    with Decoders(network, images, batch_size, decoding) as decoders:
        count, start = 0, time.perf_counter()
        warm = start + WARM_UP_SHARE * seconds
        while (now := time.perf_counter()) < warm + seconds:
            if count and now < warm:
                count, start = 0, now
            batch = decoders.ahead.get()
            running.append((batch, *recording.begin(batch)))  # the batch stays until it has been read
            if len(running) > AHEAD:
                _, scores, ended = running.popleft()
                ended.synchronize()
                count += len(scores.tolist())
        return count / (time.perf_counter() - start)


@torch.inference_mode()
def main() -> None:
    """Measure one network and print a JSON object."""
    builder, precision, form, decoding, seconds, *sizes = sys.argv[1:]
    network, images = TunedNetwork(builder, precision, form), jpegs()
    rates = {size: images_per_second(network, images, int(size), decoding, float(seconds)) for size in sizes}
    print(json.dumps({"images_per_second": rates}))


if __name__ == "__main__":
    main()
