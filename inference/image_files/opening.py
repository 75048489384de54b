"""Opens an image file with Pillow and decodes it to RGB: all that a process needs that does nothing else.

:mod:`inference.images` calls it for every file that torchvision does not decode, through an :class:`Opener`. This
module's ``open_file`` does it where it is called; workers have it called in processes of their own
(:mod:`workers.decoders`), which start quickly and hold little memory, so nothing here imports torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any, Protocol

import numpy as np
from PIL import Image

from contract.image_size import image_has_too_many_pixels
from inference.errors import ImageError
from inference.image_costs import bytes_to_decode, check_codec, pixels_to_decode
from inference.image_files import jpeg2000, tiff
from inference.image_files.colours import rgb_pixels
from inference.image_files.formats import FORMATS, refusal_of, register_formats
from inference.image_files.orientation import orientation_of
from inference.image_files.structure import reduce
from inference.warning_filters import QuietWarning

Array = np.ndarray[Any, np.dtype[np.uint8]]

CHANNELS = 3  # of decoded pixels

# Our own limit is enforced from the header; Pillow's, which warns first and is one for the whole process,
# would only stand in its way.
Image.MAX_IMAGE_PIXELS = None
# glibc keeps freed blocks of up to 32 MiB for the thread that had them; larger ones go back to the system, so that
# dozens of threads do not each sit on the memory of the largest image that they ever saw.
Image.core.set_block_size(64 * 1024 * 1024)  # type: ignore[attr-defined]  # Pillow offers it by this name only
register_formats()
_quiet_pillow = QuietWarning(module=r"PIL\.")


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded.

    ``width`` and ``height`` are those of the stored image, before it is turned by its EXIF ``orientation``, in which 1
    is upright. ``decoding_bytes`` is the memory that decoding takes at its peak.
    """

    width: int
    height: int
    orientation: int
    decoding_bytes: int

    def size_of_pixels(self, factor: int) -> tuple[int, int]:
        """Return the width and height of what is decoded ``factor`` times smaller."""
        return ceil(self.width / factor), ceil(self.height / factor)


class OpenedImage(Protocol):
    """An image file within the limits, whose pixels are still to be decoded."""

    @property
    def header(self) -> Header:
        """What the file says of itself."""

    def decode(self) -> Array:
        """Return the stored pixels, uint8 RGB ``(height, width, 3)``; what is transparent is composed on white.

        Called once. The array may be read-only.

        Raises:
            ImageError: when the file is truncated or damaged.
        """


Opener = Callable[[bytes, int, int], OpenedImage]
"""Takes an image file, the most pixels that it may have, and how many times smaller it is to be decoded in both
directions, rounded up: 1, or of a JPEG 2, 4 or 8. Raises ImageError for a file that cannot be decoded."""


class _OpenedHere:
    def __init__(self, image: Image.Image, data: bytes, factor: int) -> None:
        self._image = image
        self._data = data
        self._factor = factor
        size = tiff.stored_size(image) if image.format == "TIFF" else image.size
        nbytes = bytes_to_decode(image, with_torchvision=False)
        self.header = Header(*size, orientation_of(image), nbytes)

    def decode(self) -> Array:
        image = self._image
        del self._image  # nothing of the decoder is kept
        if self._factor > 1:
            image.draft(None, (image.width // self._factor, image.height // self._factor))
        try:
            pixels = rgb_pixels(image, self._data)
        except MemoryError as error:
            raise ImageError("The image takes more memory than its size allows; save it again.") from error
        except Exception as error:  # Pillow's codecs raise OSError, SyntaxError, ValueError, struct.error and more
            is_truncated = "truncated" in str(error).lower() or isinstance(error, EOFError)
            sentence = "The image is truncated." if is_truncated else "The image is damaged and cannot be decoded."
            raise ImageError(sentence) from error
        height, width, _ = pixels.shape
        if (width, height) != self.header.size_of_pixels(self._factor):  # a stream of another size than its container
            raise ImageError("The image is damaged and cannot be decoded.")
        return pixels


def open_file(data: bytes, max_pixels: int, factor: int) -> OpenedImage:
    """Read the header of an image file, which Pillow will decode in this process: an :class:`Opener`."""
    data = reduce(data)
    image = open_within(data, max_pixels)
    if image.format == "TIFF":
        tiff.check_samples(image)
    if image.format == "JPEG2000":
        jpeg2000.check_samples(data, image.size)
    return _OpenedHere(image, data, factor)


def open_within(data: bytes, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Read the header of a file without unused metadata and hold it against the limits.

    Raises:
        ImageError: when it is no image of these formats, or is over a limit.
    """
    _quiet_pillow()
    try:
        image = Image.open(BytesIO(data), formats=formats)
    except Exception as error:  # Pillow's parsers raise anything at all on hostile headers
        raise refusal_of(data) from error
    width, height = image.size
    if pixels_to_decode(image) > max_pixels:
        raise ImageError(image_has_too_many_pixels(width, height, max_pixels))
    check_codec(image)
    if image.mode == "F":
        raise ImageError("Images of floating-point pixels are not supported.")
    return image
