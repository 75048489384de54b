"""What a worker and a decoder say to each other: short JSON on a socket pair, beside descriptors of shared memory.

The image file comes in shared memory, and the pixels go back in it, so that neither passes through the socket. What a
decoder answers is not trusted: it may have been taken over by the image that it decodes.
"""

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 16_384
READY = b"ready"


@dataclass(frozen=True)
class Order:
    """An image file to be opened, and to be decoded if its pixels fit into ``room_bytes``.

    The file is in the first buffer that comes with it; the pixels go into the last one, which may be the same.
    """

    file_bytes: int
    max_pixels: int
    factor: int
    room_bytes: int


@dataclass(frozen=True)
class Reply:
    """What came of an order: a header, or why there is none.

    header: the fields of :class:`inference.image_files.opening.Header`.
    size: the width and height of the pixels, if they were decoded.
    refusal: the sentence for whoever sent the image.
    failure: what the operator finds in the log, of an error that is none of the image.
    """

    header: tuple[int, ...] | None = None
    size: tuple[int, ...] | None = None
    refusal: str | None = None
    failure: str | None = None
