"""JPEG decoding on the GPU, for networks that ask for it (``decoding: DEVICE``).

A GPU has a decoder of its own, which does in a twentieth of a millisecond what takes a core several, and what it
decodes is where the network wants it. It rounds differently from libjpeg, hence the asking. Images that wait at the
same time are decoded together, in one thread and on one stream: pixels are made, resized and handed over there, and no
memory is written again before it has been read.

The worker's threads call it for what :func:`decodes_on_device` allows, and decode as usual what it gives back.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import monotonic

import torch
from torch import Tensor

from inference.errors import DeviceLostError, InferenceError, reason_of
from inference.images import EncodedImage, decode_jpegs
from inference.network import Decoding, ImageSpec
from inference.preprocess import Prepared, most_pixels_on_the_way, prepare_alike
from inference.regions import Region
from inference.stacking import wait_for

MOST_AT_ONCE = 64
MOST_PIXELS_AT_ONCE = 50_000_000  # 150 MB, unless one image has more
MOST_PIXELS_RESIZED_AT_ONCE = 10_000_000  # likewise, before or after; to resize takes 15 bytes for each of these


def decodes_on_device(image: EncodedImage, region: Region, spec: ImageSpec) -> bool:
    """Tell whether an image may be decoded on a GPU.

    A polygon and the search for the foreground look at pixels on the CPU.
    """
    return (
        spec.decoding is Decoding.DEVICE
        and region.polygon is None
        and not region.crop_uniform_background
        and image.is_plain_jpeg()
    )


@dataclass(frozen=True)
class _Job:
    encoded: Tensor
    pixels: int
    region: Region
    spec: ImageSpec
    future: "Future[Prepared | None]" = field(default_factory=Future)


class DeviceDecoder:
    """The thread that decodes on one device.

    Args:
        device: a GPU; on a CPU the same is done, to no avail.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._serve, name="device-decoder", daemon=True)
        self._thread.start()

    def submit(self, image: EncodedImage, region: Region, spec: ImageSpec) -> "Future[Prepared | None]":
        """Return the future of an input of a network, in pixels, on the device; None if that cannot decode the image.

        The future fails with whatever ``prepare_image`` raises, and with DeviceLostError when the device failed in a
        way that only a new process gets over.
        """
        job = _Job(image.encoded(), image.width * image.height, region, spec)
        with self._changed:
            if self._closed:
                job.future.set_result(None)
                return job.future
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def busy_seconds(self) -> float:
        """Return for how long the images that are being decoded have been; 0 if there are none."""
        since = self._busy_since
        return 0.0 if since is None else monotonic() - since

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        while jobs := self._next():
            self._busy_since = monotonic()
            try:
                with torch.inference_mode(), self._on_stream():
                    self._decode(jobs)
            except Exception as error:  # whatever it is, those who wait are told, and the thread lives on
                for job in jobs:
                    if not job.future.done():
                        job.future.set_exception(error)
            self._busy_since = None

    def _on_stream(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _next(self) -> list[_Job]:
        """Wait for jobs and return some that waited together; none when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            jobs: list[_Job] = []
            pixels = 0
            while self._waiting and len(jobs) < MOST_AT_ONCE:
                pixels += self._waiting[0].pixels
                if jobs and pixels > MOST_PIXELS_AT_ONCE:
                    break
                jobs.append(self._waiting.popleft())
            return jobs

    def _decode(self, jobs: Sequence[_Job]) -> None:
        """Decode some images together; if one of them cannot be, each alone."""
        try:
            images = decode_jpegs([job.encoded for job in jobs], self._device)
        except torch.AcceleratorError as error:
            for job in jobs:
                job.future.set_exception(DeviceLostError(reason_of(error)))
        except RuntimeError:  # what it cannot decode, or has no memory for
            if len(jobs) == 1:
                jobs[0].future.set_result(None)
            for job in jobs if len(jobs) > 1 else ():
                self._decode([job])
        else:
            self._hand_over(jobs, images)

    def _hand_over(self, jobs: Sequence[_Job], images: Sequence[Tensor]) -> None:
        outcomes = list(_outcomes(jobs, images))
        try:
            wait_for(self._device)
        except torch.AcceleratorError as error:
            outcomes = [(job, DeviceLostError(reason_of(error))) for job in jobs]
        for job, outcome in outcomes:
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


def _outcomes(jobs: Sequence[_Job], images: Sequence[Tensor]) -> Iterator[tuple[_Job, Prepared | Exception | None]]:
    """Prepare decoded images; those that are alike together, since the device does that as fast as one of them."""
    groups = defaultdict[object, list[tuple[_Job, Tensor]]](list)
    for job, image in zip(jobs, images, strict=True):
        groups[job.region, job.spec, image.shape].append((job, image))
    for group in groups.values():
        first, image = group[0]
        pixels = most_pixels_on_the_way(image.shape[-1], image.shape[-2], first.region, first.spec)
        size = max(1, MOST_PIXELS_RESIZED_AT_ONCE // pixels)
        for start in range(0, len(group), size):
            members, alike = zip(*group[start : start + size], strict=True)
            yield from zip(members, _prepared(alike, first.region, first.spec), strict=True)


def _prepared(images: Sequence[Tensor], region: Region, spec: ImageSpec) -> Sequence[Prepared | Exception | None]:
    """Return what becomes of images of one size: of each its input, or of all the same."""
    outcome: Exception | None = None
    try:
        return prepare_alike(images, region, spec)
    except torch.OutOfMemoryError:
        pass
    except torch.AcceleratorError as error:
        outcome = DeviceLostError(reason_of(error))
    except InferenceError as error:  # the tasks', whose threads wait for it
        outcome = error
    except RuntimeError:  # a GPU does not resize to a hundredth of the size
        pass
    except Exception as error:
        outcome = error
    return [outcome] * len(images)
