"""Opens and decodes image files in processes of their own: what :mod:`inference.images` takes as its opener.

A crash, a loop or an overrun of a decoder costs the image that caused it a sentence, and nothing else. Where the system
has no memory that can be sealed (macOS), images are decoded in the worker itself.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from signal import Signals

from config.cores import usable_cores
from config.settings import Settings
from inference.errors import ImageError
from inference.image_files.opening import CHANNELS, Array, Header
from workers.companions.channel import Companion
from workers.decoders.buffers import Buffer, Buffers
from workers.decoders.limits import (
    DECODING_SECONDS,
    HEADER_SECONDS,
    PIXELS_PER_SECOND,
    bytes_of_life,
    seconds_to_decode,
)
from workers.decoders.messages import Order, Reply
from workers.decoders.pool import DecoderPool
from workers.decoders.remote_process import DecoderEnded, DecoderProcess

logger = logging.getLogger(__name__)

WALL_FACTOR, WALL_SECONDS = 3, 30.0  # on a machine that is busy; what computes is ended by the kernel before
MAX_SENTENCE = 1000

TOOK_TOO_LONG = (
    "Decoding the image took longer than one of its size may take"
    f" ({HEADER_SECONDS + DECODING_SECONDS} s, and 1 s more for each {PIXELS_PER_SECOND // 1_000_000} million pixels);"
    " save it again, or convert it to JPEG or PNG."
)
CRASHED = (
    "Decoding the image crashed the process that decoded it ({how}). The file is damaged, or its decoder has a fault:"
    " save the image again, or convert it to JPEG or PNG."
)
NO_MEMORY = "The machine had not enough memory to decode the image."


class Decoders:
    """A worker's decoders; safe to share between threads.

    Args:
        launcher: the companion that starts them.
        most: how many there may be at once.
        max_bytes: the largest file that is decoded.
        max_pixels: the most pixels that an image may have.
    """

    def __init__(self, launcher: Companion, *, most: int, max_bytes: int, max_pixels: int) -> None:
        self._launcher = launcher
        self._life_bytes = bytes_of_life(max_bytes, max_pixels)
        self._buffers = Buffers()
        self._pool = DecoderPool(self._start, most, on_rest=self._buffers.close)
        self._second_attempt = threading.Lock()

    def open(self, data: bytes, max_pixels: int, factor: int) -> "RemoteImage":
        """Open an image file; the :class:`inference.image_files.opening.Opener` of a worker.

        One whose pixels take no more room than the file has is decoded at once, which spares a round trip.

        Raises:
            ImageError: if the file cannot be decoded, or what tried it ended.
            Unavailable: if no decoder can be started.
        """
        buffer, content = self._buffers.lend(len(data))
        buffer.write(data)
        order = Order(len(data), max_pixels, factor, room_bytes=buffer.size)
        reply = self._carry_out(order, max_pixels, buffer)
        header = _header_of(reply, max_pixels)
        if reply.size is None:
            return RemoteImage(header, partial(self._decode, order, header, buffer, content))
        pixels = _pixels(buffer, content, reply, header.size_of_pixels(factor))
        return RemoteImage(header, lambda: pixels)

    def warm_up(self) -> None:
        """Start a decoder, so that the first image need not wait for it."""
        self._pool.warm_up()

    def kept_bytes(self) -> int:
        """Return the size of the shared memory that is kept for the next images."""
        return self._buffers.kept_bytes()

    def close(self) -> None:
        """End the decoders."""
        self._pool.close()
        self._buffers.close()

    def _decode(self, order: Order, header: Header, file: Buffer, content: Array) -> Array:
        """Return the pixels of a file that is in ``content``."""
        size = header.size_of_pixels(order.factor)
        room_bytes = CHANNELS * size[0] * size[1]
        buffer, pixels = self._buffers.lend(room_bytes)
        order = replace(order, room_bytes=room_bytes)
        reply = self._carry_out(order, header.width * header.height, file, buffer)
        return _pixels(buffer, pixels, reply, size)

    def _carry_out(self, order: Order, pixels: int, *buffers: Buffer) -> Reply:
        """Return what a decoder made of an order, for an image of at most so many pixels.

        If its process crashes, that may be what an earlier image left there. So a second one, which has seen no image,
        tries again; and as those are few, whoever sends such images waits for their turn.

        Raises:
            ImageError, Unavailable: as ``open`` does.
        """
        buffers[-1].used = order.room_bytes
        ask = partial(
            DecoderProcess.ask,
            order=order,
            descriptors=[buffer.descriptor for buffer in buffers],
            wall_seconds=WALL_FACTOR * seconds_to_decode(pixels) + WALL_SECONDS,
        )
        try:
            with self._pool.lent() as process:
                reply = ask(process)
        except DecoderEnded as end:
            _raise_if_out_of_time(end)
            reply = self._try_again(ask)
        return _checked(reply)

    def _try_again(self, ask: Callable[[DecoderProcess], Reply]) -> Reply:
        with self._second_attempt:
            process = self._start()
            try:
                return ask(process)
            except DecoderEnded as end:
                _raise_if_out_of_time(end)
                logger.warning("An image ended two decoders (%s).", _how(end))
                raise ImageError(_sentence(end)) from end
            finally:
                process.end()

    def _start(self) -> DecoderProcess:
        return DecoderProcess.start(self._launcher, self._life_bytes)


def decoders_for(settings: Settings, launcher: Companion) -> Decoders | None:
    """Return the decoders of a worker, one for each core that it has, of which one is started now.

    None where the system has no memory that can be sealed: images are decoded in the worker there.
    """
    if not hasattr(os, "memfd_create"):
        return None
    decoders = Decoders(
        launcher,
        most=max(1, usable_cores() // (settings.worker_processes or 1)),
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
    )
    decoders.warm_up()
    return decoders


@dataclass(frozen=True)
class RemoteImage:
    """An image file in shared memory; see :class:`inference.image_files.opening.OpenedImage`.

    ``decode`` returns pixels in shared memory, and raises what ``Decoders.open`` does.
    """

    header: Header
    decode: Callable[[], Array]


def _checked(reply: Reply) -> Reply:
    if reply.refusal is not None:
        sentence = str(reply.refusal)[:MAX_SENTENCE]
        raise ImageError("".join(each if each.isprintable() else " " for each in sentence))
    if reply.failure is not None:
        raise RuntimeError(f"A decoder failed: {reply.failure}")
    return reply


def _pixels(buffer: Buffer, content: Array, reply: Reply, size: tuple[int, int]) -> Array:
    width, height = size
    if reply.size is None or tuple(reply.size) != size:
        raise RuntimeError(f"A decoder made {reply.size} pixels of an image of {width}x{height}.")
    nbytes = CHANNELS * width * height
    buffer.used = max(buffer.file_bytes, nbytes)
    return content[:nbytes].reshape(height, width, CHANNELS)


def _header_of(reply: Reply, max_pixels: int) -> Header:
    """Return the header of a reply, whose numbers are not trusted."""
    numbers = reply.header or ()
    if len(numbers) != 4 or not all(isinstance(number, int) for number in numbers):
        raise RuntimeError("A decoder returned no header.")
    header = Header(*numbers)
    is_possible = header.width > 0 and header.height > 0 and 1 <= header.orientation <= 8
    if not is_possible or header.width * header.height > max_pixels or header.decoding_bytes < 0:
        raise RuntimeError(f"A decoder returned an impossible header: {header}.")
    return header


def _raise_if_out_of_time(end: DecoderEnded) -> None:
    if end.status is None or end.status == -Signals.SIGXCPU:
        raise ImageError(TOOK_TOO_LONG) from end


def _sentence(end: DecoderEnded) -> str:
    return NO_MEMORY if end.status == -Signals.SIGKILL else CRASHED.format(how=_how(end))


def _how(end: DecoderEnded) -> str:
    status = end.status or 0
    return Signals(-status).name if status < 0 else f"exit status {status}"
