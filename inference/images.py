"""From the bytes that a client sent to the pixels that it meant.

The worker's threads call :func:`decode_image` for each input. The header is read before any pixel, so that a
small file that would unpack into gigabytes costs nothing. JPEG goes through torchvision, which is the fastest
decoder at hand; every other format, and CMYK, goes through Pillow, and so does JPEG where torchvision has no
decoder: the pixels are the same. A JPEG that :mod:`inference.reduction` wants smaller goes through Pillow too.
:mod:`inference.image_costs` tells what a file would cost, :mod:`inference.image_files` what it says of its pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from contract.image_costs import refusal_of
from contract.image_size import image_has_too_many_pixels, image_is_too_large
from inference.errors import ImageError
from inference.image_costs import (
    bytes_to_decode,
    bytes_to_decode_reduced,
    check_codec,
    check_scans,
    pixels_to_decode,
)
from inference.image_files import formats, jpeg, tiff
from inference.image_files.colours import rgb_pixels
from inference.image_files.orientation import TURNED, UPRIGHT, orientation_of, read_orientation, turn
from inference.image_files.structure import reduce
from inference.warning_filters import QuietWarning

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # torchvision announces that a later version has no decoders
    decode_jpeg = None

# Our own limit is enforced from the header; Pillow's, which warns first and is one for the whole process,
# would only stand in its way.
Image.MAX_IMAGE_PIXELS = None
# glibc keeps freed blocks of up to 32 MiB for the thread that had them; larger ones go back to the system, so that
# dozens of threads do not each sit on the memory of the largest image that they ever saw.
Image.core.set_block_size(64 * 1024 * 1024)  # type: ignore[attr-defined]  # Pillow offers it by this name only
_quiet_pillow = QuietWarning(module=r"PIL\.")
_quiet_torchvision = QuietWarning(message="The image decoding and encoding capabilities of TorchVision are deprecated")


@dataclass(frozen=True)
class ImageLimits:
    """What an image may cost: the bytes of the file, and the pixels that it unpacks into."""

    max_bytes: int
    max_pixels: int


class EncodedImage:
    """An image file whose header was read and found within the limits; its pixels are still to be decoded.

    ``decoding_bytes`` is the memory that decoding takes at its peak. ``width`` and ``height`` are those of the stored
    image, before it is turned by its EXIF ``orientation``, in which 1 is upright.
    """

    def __init__(self, data: bytes, image: Image.Image, orientation: int, *, is_first_of_several: bool = False) -> None:
        self._data = data
        self._image = image
        self._is_alone = not is_first_of_several
        self.is_jpeg = image.format == "JPEG"
        self.width, self.height = image.size
        self.orientation = orientation
        self._with_torchvision = self.is_jpeg and decode_jpeg is not None and image.mode in ("RGB", "L")
        self.decoding_bytes = bytes_to_decode(image, with_torchvision=self._with_torchvision)

    def upright_size(self) -> tuple[int, int]:
        """Return width and height as they are once the image is turned."""
        return (self.height, self.width) if self.orientation in TURNED else (self.width, self.height)

    def is_plain_jpeg(self) -> bool:
        """Tell whether any decoder makes the same image of it, but for rounding: upright, with the usual colours."""
        if not self._with_torchvision or self._image.mode != "RGB":
            return False
        if self.orientation != UPRIGHT or not self._is_alone:
            return False
        components = [layer[0] for layer in self._image.layer]  # type: ignore[attr-defined]  # JPEGs have it
        return components == [1, 2, 3] and self._image.info.get("adobe_transform", 1) == 1

    def encoded(self) -> Tensor:
        """Return the bytes of the file."""
        return _as_tensor(self._data)

    def reduce_jpeg(self, factor: int) -> None:
        """Have ``decode`` return a JPEG 2, 4 or 8 times smaller in both directions, rounded up; torchvision cannot."""
        self.decoding_bytes = bytes_to_decode_reduced(self._image, factor)
        self._image.draft(None, (self.width // factor, self.height // factor))
        self._with_torchvision = False

    def decode(self) -> Tensor:
        """Return the pixels, as ``decode_image`` does; once, because nothing of the decoder is kept."""
        image = self._image
        del self._image
        stored = _decode_jpeg(self._data) if self._with_torchvision else _decode_with_pillow(image, self._data)
        return turn(stored, self.orientation)


def open_image(data: bytes, limits: ImageLimits) -> EncodedImage:
    """Read the header of an image file and hold it against the limits.

    Raises:
        ImageError: when the data is no image of a supported format, is a truncated JPEG, or is over a limit.
    """
    if len(data) > limits.max_bytes:
        raise ImageError(image_is_too_large(len(data), limits.max_bytes))
    _quiet_pillow()
    opened = _open_jpeg(data, limits) if data.startswith(jpeg.MAGIC) else _open_other(data, limits)
    refusal = refusal_of(data, limits.max_pixels)
    if refusal is not None:
        raise ImageError(refusal)
    return opened


def _open_other(data: bytes, limits: ImageLimits) -> EncodedImage:
    data = reduce(data)
    image = _open_within(data, limits)
    if image.format == "TIFF":
        tiff.check_samples(image)
    return EncodedImage(data, image, orientation_of(image))


def _open_jpeg(data: bytes, limits: ImageLimits) -> EncodedImage:
    head = jpeg.read_head(data)
    bare = jpeg.without_metadata(data, head)
    image = _open_within(bare, limits)
    if not jpeg.is_complete(data, head):
        raise ImageError("The image is truncated.")
    check_scans(bare)
    orientation = read_orientation(jpeg.exif_of(data, head))
    return EncodedImage(bare, image, orientation, is_first_of_several=jpeg.has_further_images(data, head))


def _open_within(data: bytes, limits: ImageLimits) -> Image.Image:
    """Read the header of a file without unused metadata and hold it against the limits."""
    try:
        image = Image.open(BytesIO(data), formats=formats.FORMATS)
    except Exception as error:  # Pillow's parsers raise anything at all on hostile headers
        raise formats.refusal_of(data) from error
    width, height = image.size
    if pixels_to_decode(image) > limits.max_pixels:
        raise ImageError(image_has_too_many_pixels(width, height, limits.max_pixels))
    check_codec(image)
    if image.mode == "F":
        raise ImageError("Images of floating-point pixels are not supported.")
    return image


def decode_image(data: bytes, limits: ImageLimits) -> Tensor:
    """Decode an image file into a uint8 tensor ``(3, height, width)`` of RGB values, on the CPU.

    EXIF orientation is applied, transparency is composed on white, an animation gives its first frame;
    palette, gray, CMYK and 16-bit images are converted to 8 bits a channel. The tensor may be strided
    (channels last, or turned).

    Raises:
        ImageError: when the data is no image of a supported format, is truncated or damaged, or is over a
            limit.
    """
    return open_image(data, limits).decode()


def _decode_jpeg(data: bytes) -> Tensor:
    _quiet_torchvision()
    try:
        pixels: Tensor = decode_jpeg(_as_tensor(data), mode=ImageReadMode.RGB)
    except RuntimeError as error:
        raise ImageError("The image is damaged and cannot be decoded.") from error
    return pixels


def decode_jpegs(encoded: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Decode plain JPEG files on a device, together: uint8 RGB ``(3, height, width)`` each.

    The calling thread's stream must have nothing left to do: the decoder does not wait for it, and might write into
    memory that is still being read.

    Raises:
        RuntimeError: when one of them cannot be decoded there.
    """
    _quiet_torchvision()
    pixels: list[Tensor] = decode_jpeg(list(encoded), ImageReadMode.RGB, device)
    return pixels


def _as_tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)  # a copy: torch wants a writable buffer


def _decode_with_pillow(image: Image.Image, data: bytes) -> Tensor:
    try:
        pixels = rgb_pixels(image, data)
    except Exception as error:  # Pillow's codecs raise OSError, SyntaxError, ValueError, struct.error and more
        is_truncated = "truncated" in str(error).lower() or isinstance(error, EOFError)
        sentence = "The image is truncated." if is_truncated else "The image is damaged and cannot be decoded."
        raise ImageError(sentence) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)
