"""``python -m workers.decoders.process``: opens and decodes image files for a worker, confined and within limits.

:mod:`workers.companions.launcher` starts it. It imports little, so that it is there within a third of a second, and has
nothing of the service: no settings, no passwords, no sockets but the line to its worker. It ends when that closes.
"""

import gc
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import orjson

from config.sandbox_mode import SandboxMode
from inference.errors import ImageError
from inference.image_files.opening import CHANNELS, Array, open_file
from workers.decoders.limits import MAX_DESCRIPTORS, ImageBounds, limit_for_life
from workers.decoders.messages import MAX_MESSAGE_BYTES, READY, Order, Reply
from workers.sandbox.confinement import SandboxError, confine
from workers.sandbox.decoder_profile import decoder


def main() -> int:
    """Carry out the orders of a worker until it has no more; returns the exit status."""
    descriptor, mode, memory_bytes = sys.argv[1:]
    limit_for_life(int(memory_bytes))
    try:
        confine(decoder(), SandboxMode(mode))
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    gc.freeze()
    with socket.socket(fileno=int(descriptor)) as line:
        line.send(READY)
        while _carry_out_next(line):
            pass
    return 0


def _carry_out_next(line: socket.socket) -> bool:
    message, descriptors, *_ = socket.recv_fds(line, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
    if not message:
        return False
    try:
        reply = _reply(Order(**orjson.loads(message)), descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    line.send(orjson.dumps(reply))
    return True


def _reply(order: Order, buffers: Sequence[int]) -> Reply:
    try:
        return _carry_out(order, buffers)
    except ImageError as error:
        return Reply(refusal=str(error))
    except Exception:
        return Reply(failure=traceback.format_exc()[-MAX_MESSAGE_BYTES // 4 :])


def _carry_out(order: Order, buffers: Sequence[int]) -> Reply:
    bounds = ImageBounds.begin(order.file_bytes, order.max_pixels)
    image = open_file(os.pread(buffers[0], order.file_bytes, 0), order.max_pixels, order.factor)
    header = image.header
    width, height = header.size_of_pixels(order.factor)
    if CHANNELS * width * height > order.room_bytes:
        return Reply(header=astuple(header))
    bounds.widen(header)
    pixels = image.decode()
    _write(pixels, buffers[-1])
    return Reply(header=astuple(header), size=(width, height))


def _write(pixels: Array, buffer: int) -> None:
    left = memoryview(np.ascontiguousarray(pixels).data).cast("B")
    offset = 0
    while left:
        written = os.pwrite(buffer, left, offset)
        offset += written
        left = left[written:]


if __name__ == "__main__":
    sys.exit(main())
