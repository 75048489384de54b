"""From the inputs of a request to prepared tensors: take the bytes, decode, crop, resize, normalise.

Runs in the worker's threads, ahead of the device. Every error names the input that caused it.
"""

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from config.settings import Settings
from inference.device_decoding import DeviceDecoder, decodes_on_device
from inference.errors import ImageError
from inference.image_files.opening import Opener, open_file
from inference.images import EncodedImage, ImageLimits, open_image
from inference.lanes import use_threads
from inference.loader import LoadedNetwork
from inference.memory_budget import MemoryBudget
from inference.network import ImageSpec
from inference.preprocess import Prepared, bytes_to_prepare, prepare_image
from inference.reduction import reduce_for
from inference.regions import Region
from store.task_records import ClaimedTask
from workers.errors import TaskFailure
from workers.fetch import FetchError
from workers.fetch_ahead import Fetched
from workers.stopwatch import Stage, Stopwatch

Preparation = Generator[Future[Any], None, list[Prepared]]
"""The steps to the inputs of a task: yields the future of an image that a device decodes before it waits for it."""


class ImageInputs:
    """Prepares the images of tasks, in as many threads at once as their decoded sizes allow.

    ``decoder`` is that of the device that the networks run on, if it has one; ``opener`` decodes what torchvision does
    not.
    """

    def __init__(self, settings: Settings, decoder: DeviceDecoder | None = None, opener: Opener = open_file) -> None:
        self._decoder = decoder
        self._opener = opener
        self._limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
        self._memory = MemoryBudget(settings.decode_memory_bytes)

    def prepare(self, task: ClaimedTask, fetched: Fetched, network: LoadedNetwork, stopwatch: Stopwatch) -> Preparation:
        """Return one prepared image for each input of the network, in order; ``fetched`` are those that were not sent.

        Raises:
            TaskFailure: if an image could not be had, read or cropped; the sentence says which one and why.
        """
        requested: Sequence[Mapping[str, Any]] = task.request["inputs"]
        specs = network.description.inputs
        if len(requested) != len(specs):
            raise TaskFailure(f"The network takes {len(specs)} input(s), but {len(requested)} were given.")
        prepared = []
        for index, (given, spec) in enumerate(zip(requested, specs, strict=True)):
            try:
                encoded = _bytes_of(given["source"], task.inputs, fetched)
                stopwatch.lap(Stage.FETCH)
                image, region = open_image(encoded, self._limits, self._opener), Region.from_json(given)
                on_device = yield from self._prepare_on_device(image, region, spec, network, stopwatch)
                prepared.append(on_device or self._prepare(image, region, spec, network, stopwatch))
            except (ImageError, FetchError) as error:
                raise TaskFailure(f"inputs.{index}.image: {error}") from error
        return prepared

    def _prepare_on_device(
        self, image: EncodedImage, region: Region, spec: ImageSpec, network: LoadedNetwork, stopwatch: Stopwatch
    ) -> Generator[Future[Any], None, Prepared | None]:
        """Have the device decode an image, if it may; return None if it may not or cannot."""
        if self._decoder is None or not network.normalises(spec) or not decodes_on_device(image, region, spec):
            return None
        future = self._decoder.submit(image, region, spec)
        yield future
        found = future.result()
        stopwatch.lap(Stage.DECODE)
        return found

    def _prepare(
        self, image: EncodedImage, region: Region, spec: ImageSpec, network: LoadedNetwork, stopwatch: Stopwatch
    ) -> Prepared:
        use_threads(1)  # other images have the other cores, and helpers would slow the network (inference.openmp)
        reduction = reduce_for(image, region, spec)
        nbytes = image.decoding_bytes + bytes_to_prepare(*image.upright_size(), region, spec)
        with self._memory.reserved(nbytes):
            pixels = image.decode()
            stopwatch.lap(Stage.DECODE)
            as_pixels, mean_image = network.normalises(spec), network.mean_image(spec)
            prepared = prepare_image(pixels, region, spec, mean_image, reduction, as_pixels=as_pixels)
            del pixels  # before another thread is told that there is room
            stopwatch.lap(Stage.PREPROCESS)
            return prepared


def _bytes_of(source: Mapping[str, Any], staged: Sequence[bytes], fetched: Fetched) -> bytes:
    if "url" not in source:
        index: int = source["staged"]
        return staged[index]
    found = fetched[source["url"]]
    if isinstance(found, Exception):
        raise found
    return found
