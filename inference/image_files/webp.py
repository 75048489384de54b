"""The chunks of a WebP file (RFC 9649), all of which libwebp lists before the first pixel, frames of films included."""

from struct import Struct

from inference.errors import ImageError

MAX_CHUNKS = 10_000  # an animation has one for each frame

_HEAD = Struct("<4sI")
_FIRST_CHUNK = 12


def is_webp(data: bytes) -> bool:
    """Tell whether a file begins like a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def check_chunks(data: bytes) -> None:
    """Refuse a file of very many chunks.

    Raises:
        ImageError: if there are more than ``MAX_CHUNKS``.
    """
    position = _FIRST_CHUNK
    for _ in range(MAX_CHUNKS):
        if position + _HEAD.size > len(data):
            return
        _, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size + length + length % 2
    raise ImageError(f"The WebP image has more than {MAX_CHUNKS} chunks or frames; send one frame of it.")
