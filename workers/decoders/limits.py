"""The limits that a decoder's process puts on itself, for its life and for each image.

The kernel enforces them also in native code. A process that was taken over may raise those for one image up to those
for its life, and no further.
"""

import resource
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from inference.image_files.opening import Header

MAX_DESCRIPTORS = 32
HEADER_SECONDS = 2
DECODING_SECONDS = 10
PIXELS_PER_SECOND = 2_000_000  # of the slowest codec on a slow core
LIFE_SECONDS = 3600  # many times what a decoder computes before it is replaced

SLACK_BYTES = 128 << 20
HEADER_BYTES_PER_PIXEL = 8  # libwebp's canvases, of which no page is used before the pixels are decoded
LIFE_BYTES_PER_PIXEL = 48
COPIES_OF_FILE = 4

_STATM = Path("/proc/self/statm")
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_FIRST_TO_GO = "1000"


def seconds_to_decode(pixels: int) -> int:
    """Return how many seconds of a core it may take to open and decode an image."""
    return HEADER_SECONDS + DECODING_SECONDS + pixels // PIXELS_PER_SECOND


def bytes_of_life(max_bytes: int, max_pixels: int) -> int:
    """Return by how much a process may grow that decodes images of at most this size."""
    return LIFE_BYTES_PER_PIXEL * max_pixels + COPIES_OF_FILE * max_bytes + SLACK_BYTES


def limit_for_life(memory_bytes: int) -> None:
    """Limit this process' address space beyond what it has now, and its time; no dumps of its memory are written."""
    if _OOM_SCORE.exists():  # the kernel ends decoders before anything else when memory runs out
        _OOM_SCORE.write_text(_FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_DESCRIPTORS, MAX_DESCRIPTORS))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFE_SECONDS, LIFE_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory_bytes,) * 2)


@dataclass(frozen=True)
class ImageBounds:
    """The limits for one image, counted from what the process had and had used before it."""

    file_bytes: int
    address_space: int
    seconds: int

    @classmethod
    def begin(cls, file_bytes: int, max_pixels: int) -> "ImageBounds":
        """Limit what the header takes."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        bounds = cls(file_bytes, _address_space(), ceil(used.ru_utime + used.ru_stime))
        bounds._set(HEADER_BYTES_PER_PIXEL * max_pixels, HEADER_SECONDS)
        return bounds

    def widen(self, header: Header) -> None:
        """Limit what the pixels take."""
        self._set(header.decoding_bytes, seconds_to_decode(header.width * header.height))

    def _set(self, memory_bytes: int, seconds: int) -> None:
        grown = self.address_space + memory_bytes + COPIES_OF_FILE * self.file_bytes + SLACK_BYTES
        _lower(resource.RLIMIT_AS, grown)
        _lower(resource.RLIMIT_CPU, self.seconds + seconds)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (min(limit, hard), hard))


def _address_space() -> int:
    return int(_STATM.read_text().split()[0]) * resource.getpagesize()
