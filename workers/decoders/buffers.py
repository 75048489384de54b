"""Memory that a worker shares with its decoders: image files go out in it, and pixels come back.

It is made by the worker, in a few sizes, and cannot be shrunk or grown by a decoder, which would end the worker that
reads it, or fill the machine. What is given back is cleared and used again, which spares the kernel making pages anew.
"""

import fcntl
import mmap
import os
import weakref
from collections import defaultdict, deque
from contextlib import suppress
from ctypes import addressof, c_char, memset
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.uint8]]

MIN_BYTES = 4 << 20
MAX_KEPT_BYTES = 16 << 20  # of one buffer
MAX_KEPT = 8  # of each size

_F_ADD_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033)
_SEALED = 0x1 | 0x2 | 0x4  # linux/fcntl.h: seals, size from below, size from above


class Buffer:
    """A piece of shared memory: ``descriptor`` is handed to a decoder."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.file_bytes = 0
        self.used = 0  # of its first bytes, by a file and by pixels
        self.descriptor = os.memfd_create("recoq-image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, size)
            fcntl.fcntl(self.descriptor, _F_ADD_SEALS, _SEALED)
            self._memory = mmap.mmap(self.descriptor, size)
        except OSError:
            os.close(self.descriptor)
            raise

    def write(self, data: bytes) -> None:
        """Put an image file into it."""
        self._memory[: len(data)] = data
        self.file_bytes = self.used = len(data)

    def bytes(self) -> Array:
        """Return its bytes, which are shared: a decoder may write to them as long as it has the descriptor."""
        return np.frombuffer(self._memory, np.uint8)

    def clear(self) -> None:
        """Forget what was in it, so that the next image's decoder cannot see it."""
        memset(addressof(c_char.from_buffer(self._memory)), 0, self.used)
        self.file_bytes = self.used = 0

    def close(self) -> None:
        """Give the memory back to the system as soon as nobody has its bytes any more."""
        os.close(self.descriptor)
        del self._memory


class Buffers:
    """The buffers of a worker that are free; safe to share between threads.

    There is no lock: what is given back by the garbage collector comes in the middle of anything.
    """

    def __init__(self) -> None:
        self._free = defaultdict[int, deque[Buffer]](deque)

    def lend(self, nbytes: int) -> tuple[Buffer, Array]:
        """Return a buffer of at least this size, and its bytes.

        It is used again when the bytes and all their views are gone.
        """
        size = MIN_BYTES
        while size < nbytes:
            size *= 2
        if size > MAX_KEPT_BYTES:
            size = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            buffer = self._free[size].pop()
        except IndexError:
            buffer = Buffer(size)
        content = buffer.bytes()
        weakref.finalize(content, self._take_back, buffer).atexit = False
        return buffer, content

    def _take_back(self, buffer: Buffer) -> None:
        if buffer.size > MAX_KEPT_BYTES or len(self._free[buffer.size]) >= MAX_KEPT:
            buffer.close()
            return
        buffer.clear()
        self._free[buffer.size].append(buffer)

    def kept_bytes(self) -> int:
        """Return the size of the buffers that are free."""
        return sum(size * len(free) for size, free in tuple(self._free.items()))

    def close(self) -> None:
        """Give the memory of free buffers back to the system."""
        for free in tuple(self._free.values()):
            with suppress(IndexError):
                while True:
                    free.pop().close()
