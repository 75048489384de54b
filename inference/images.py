"""From the bytes that a client sent to the pixels that it meant.

The worker's threads call :func:`open_image` for each input. The header is read before any pixel, so that a
small file that would unpack into gigabytes costs nothing. JPEG goes through torchvision, which is the fastest
decoder at hand. Every other format goes through Pillow, where the caller says (:mod:`inference.image_files.opening`),
and so do CMYK, a JPEG that :mod:`inference.reduction` wants smaller, and JPEG where torchvision has no decoder: the
pixels are the same. :mod:`inference.image_costs` tells what a file would cost, :mod:`inference.image_files` what it
says of its pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from contract.image_costs import refusal_of
from contract.image_size import image_is_too_large
from inference.errors import ImageError
from inference.image_costs import bytes_to_decode, bytes_to_decode_reduced, check_scans
from inference.image_files import jpeg
from inference.image_files.opening import Array, Header, OpenedImage, Opener, open_file, open_within
from inference.image_files.orientation import TURNED, UPRIGHT, read_orientation, turn
from inference.warning_filters import QuietWarning

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # torchvision announces that a later version has no decoders
    decode_jpeg = None

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

    def __init__(self, data: bytes, header: Header) -> None:
        self._data = data
        self.width, self.height = header.width, header.height
        self.orientation = header.orientation
        self.decoding_bytes = header.decoding_bytes

    def upright_size(self) -> tuple[int, int]:
        """Return width and height as they are once the image is turned."""
        return (self.height, self.width) if self.orientation in TURNED else (self.width, self.height)

    def is_plain_jpeg(self) -> bool:
        """Tell whether any decoder makes the same image of it, but for rounding: upright, with the usual colours."""
        return False

    def encoded(self) -> Tensor:
        """Return the bytes of the file."""
        return _as_tensor(self._data)

    def decode(self) -> Tensor:
        """Return the pixels, as ``decode_image`` does; once, because nothing of the decoder is kept."""
        return turn(self._stored(), self.orientation)

    def _stored(self) -> Tensor:
        raise NotImplementedError


class _OtherImage(EncodedImage):
    """A file of any format but JPEG, which Pillow decodes."""

    def __init__(self, data: bytes, opened: OpenedImage) -> None:
        super().__init__(data, opened.header)
        self._opened = opened

    def _stored(self) -> Tensor:
        opened = self._opened
        del self._opened
        return _as_planes(opened.decode())


class EncodedJpeg(EncodedImage):
    """A JPEG file without the metadata that no decoder needs; ``image`` has its header, and is not decoded itself."""

    def __init__(
        self, data: bytes, image: Image.Image, orientation: int, opener: Opener, *, is_first_of_several: bool
    ) -> None:
        self._with_torchvision = decode_jpeg is not None and image.mode in ("RGB", "L")
        nbytes = bytes_to_decode(image, with_torchvision=self._with_torchvision)
        super().__init__(data, Header(*image.size, orientation, nbytes))
        self._image = image
        self._is_alone = not is_first_of_several
        self._opener = opener
        self._factor = 1

    def is_plain_jpeg(self) -> bool:
        """Tell whether any decoder makes the same image of it, but for rounding: upright, with the usual colours."""
        if not self._with_torchvision or self._image.mode != "RGB":
            return False
        if self.orientation != UPRIGHT or not self._is_alone:
            return False
        components = [layer[0] for layer in self._image.layer]  # type: ignore[attr-defined]  # JPEGs have it
        return components == [1, 2, 3] and self._image.info.get("adobe_transform", 1) == 1

    def reduce(self, factor: int) -> None:
        """Have ``decode`` return it 2, 4 or 8 times smaller in both directions, rounded up; torchvision cannot."""
        self.decoding_bytes = bytes_to_decode_reduced(self._image, factor)
        self._factor = factor
        self._with_torchvision = False

    def _stored(self) -> Tensor:
        if self._with_torchvision:
            return _decode_jpeg(self._data)
        return _as_planes(self._opener(self._data, self.width * self.height, self._factor).decode())


def open_image(data: bytes, limits: ImageLimits, opener: Opener = open_file) -> EncodedImage:
    """Read the header of an image file and hold it against the limits.

    Args:
        data: the file.
        limits: what it may cost.
        opener: what opens and decodes all that torchvision does not.

    Raises:
        ImageError: when the data is no image of a supported format, is a truncated JPEG, or is over a limit.
    """
    if len(data) > limits.max_bytes:
        raise ImageError(image_is_too_large(len(data), limits.max_bytes))
    refusal = refusal_of(data, limits.max_pixels)
    if refusal is not None:
        raise ImageError(refusal)
    if data.startswith(jpeg.MAGIC):
        return _open_jpeg(data, limits, opener)
    return _OtherImage(data, opener(data, limits.max_pixels, 1))


def _open_jpeg(data: bytes, limits: ImageLimits, opener: Opener) -> EncodedJpeg:
    head = jpeg.read_head(data)
    bare = jpeg.without_metadata(data, head)
    image = open_within(bare, limits.max_pixels, ("JPEG",))
    if not jpeg.is_complete(data, head):
        raise ImageError("The image is truncated.")
    check_scans(bare)
    orientation = read_orientation(jpeg.exif_of(data, head))
    return EncodedJpeg(bare, image, orientation, opener, is_first_of_several=jpeg.has_further_images(data, head))


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


def _as_planes(pixels: Array) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements="W")).permute(2, 0, 1)  # torch warns of what is read-only
