"""From pixels to the input tensor of a network, and the map by which boxes find their way back.

Runs in the worker's threads, ahead of the device, for every image. The reference is torchvision: the results
equal, bit for bit, those of a script of ``torchvision.transforms.v2.functional`` calls on uint8 tensors, unless the
image was decoded at a reduced size, or is very elongated (:mod:`inference.pixels.resizing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from inference.errors import ImageError
from inference.geometry import Fit, Placement, fit_of
from inference.network import ColorChannels, DimensionOrder, ImageSpec, Interpolation
from inference.normalisation import normalise
from inference.pixels.resizing import bytes_to_resize, resize
from inference.reduction import Box, Reduction
from inference.regions import Region, crop_of, cut

# A crop keeps the centre of an image whose smallest side fits: of a line of pixels, that image would take
# gigabytes.
MAX_RESIZED_PIXELS = 64_000_000

_WHITE = 255
_PERMUTATIONS = {
    DimensionOrder.NCHW: (0, 1, 2),
    DimensionOrder.NCWH: (0, 2, 1),
    DimensionOrder.NHWC: (1, 2, 0),
    DimensionOrder.NWHC: (2, 1, 0),
}
_PILLOW_RESAMPLINGS = {  # of images that were decoded at a reduced size, which none is for NEAREST
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
}


@dataclass(frozen=True)
class Prepared:
    """One network input, ready to be batched.

    ``tensor`` has no batch dimension, and its other dimensions are in the network's order. It is contiguous, or,
    as long as it holds pixels, channels last.
    ``input_width`` and ``input_height`` are the pixels of the image that the network sees in it.
    """

    tensor: Tensor
    placement: Placement
    input_width: int
    input_height: int


def prepare_image(
    image: Tensor,
    region: Region,
    spec: ImageSpec,
    mean_image: Tensor | None = None,
    reduction: Reduction | None = None,
    *,
    as_pixels: bool = False,
) -> Prepared:
    """Cut, resize, lay out, convert and normalise one image.

    Args:
        image: uint8 RGB ``(3, height, width)``, as ``decode_image`` returns it; it is not changed. On a GPU, or with
            further dimensions before these, it has to be left ``as_pixels``.
        region: what of the image to use.
        spec: the network's input.
        mean_image: the values of ``spec.mean_file``: float32, HWC, broadcast over the input.
        reduction: what ``reduce_for`` returned for the same region and spec before the image was decoded.
        as_pixels: leave the tensor in uint8, to be normalised in its batch.

    Raises:
        ImageError: when the image is so elongated that it cannot be resized.
        NetworkError: when the mean image does not fit the input's size.
    """
    box = None
    if reduction is None:
        image_height, image_width = image.shape[-2:]
        pixels, crop = cut(image, region)
    else:
        image_height, image_width = reduction.height, reduction.width
        crop = crop_of(region.bbox, image_width, image_height)
        pixels, box = reduction.cut(image, crop)
    fit = fit_of(crop.width, crop.height, spec.resize_type, spec.target_size)
    pixels = _lay_out(_resize(pixels, fit, spec.interpolation, box), fit)
    pixels = _convert_channels(pixels, spec.color_channels)
    return Prepared(
        tensor=_ordered(_packed(pixels), spec)
        if as_pixels
        else _ordered(normalise(pixels, spec, mean_image), spec).contiguous(),
        placement=Placement.of(crop, fit, image_width, image_height),
        input_width=fit.canvas_width,
        input_height=fit.canvas_height,
    )


def prepare_alike(images: Sequence[Tensor], region: Region, spec: ImageSpec) -> list[Prepared]:
    """Prepare images of one size, and leave them as pixels, as ``prepare_image`` does one by one.

    On a GPU it takes hardly longer for all than for one.

    Args:
        images: uint8 RGB ``(3, height, width)`` each, on one device.
        region: what of each image to use: all, or a box.
        spec: the network's input.

    Raises:
        ImageError: when the images are so elongated that they cannot be resized.
    """
    stacked = images[0][None] if len(images) == 1 else torch.stack(tuple(images))
    prepared = prepare_image(stacked, region, spec, as_pixels=True)
    return [replace(prepared, tensor=tensor) for tensor in prepared.tensor]


def most_pixels_on_the_way(width: int, height: int, region: Region, spec: ImageSpec) -> int:
    """Return the pixels of the largest image that there is while one of this size is prepared: itself, or resized."""
    crop = crop_of(region.bbox, width, height)
    fit = fit_of(crop.width, crop.height, spec.resize_type, spec.target_size)
    return max(width * height, fit.resized_width * fit.resized_height)


def bytes_to_prepare(width: int, height: int, region: Region, spec: ImageSpec) -> int:
    """Return the memory that ``prepare_image`` takes for an upright image of this size, beyond that image.

    Raises:
        ImageError: when the image cannot be resized.
    """
    crop = crop_of(region.bbox, width, height)
    fit = fit_of(crop.width, crop.height, spec.resize_type, spec.target_size)
    _check_resize(fit)
    return bytes_to_resize(crop.width, crop.height, fit.resized_width, fit.resized_height, spec.interpolation)


def _check_resize(fit: Fit) -> None:
    canvas_pixels = fit.canvas_width * fit.canvas_height
    if fit.resized_width * fit.resized_height > max(MAX_RESIZED_PIXELS, 4 * canvas_pixels):
        raise ImageError("The image, or the part of it that was asked for, is too elongated to be resized.")


def _resize(pixels: Tensor, fit: Fit, interpolation: Interpolation, box: Box | None) -> Tensor:
    _check_resize(fit)
    if box is not None:
        return _resize_box(pixels, box, fit, interpolation)
    return resize(pixels, fit.resized_width, fit.resized_height, interpolation)


def _resize_box(pixels: Tensor, box: Box, fit: Fit, interpolation: Interpolation) -> Tensor:
    """Resize a box whose edges lie within pixels: Pillow's, as torchvision has none, to within a gray level the same.

    It takes several times as long.
    """
    whole = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    resized = whole.resize((fit.resized_width, fit.resized_height), _PILLOW_RESAMPLINGS[interpolation], box=box)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def _lay_out(resized: Tensor, fit: Fit) -> Tensor:
    """Cut what sticks out of the canvas, or lay the image on white where the canvas is larger."""
    left, top = max(0, -fit.offset_x), max(0, -fit.offset_y)
    resized = resized[..., top : top + fit.canvas_height, left : left + fit.canvas_width]
    height, width = resized.shape[-2:]
    if (height, width) == (fit.canvas_height, fit.canvas_width):
        return resized
    canvas = resized.new_full((*resized.shape[:-2], fit.canvas_height, fit.canvas_width), _WHITE)
    x, y = max(0, fit.offset_x), max(0, fit.offset_y)
    canvas[..., y : y + height, x : x + width] = resized
    return canvas


def _convert_channels(pixels: Tensor, channels: ColorChannels) -> Tensor:
    """Convert RGB; gray is the luma of ITU-R BT.601, as torchvision computes it."""
    if channels is ColorChannels.L:
        gray: Tensor = transforms.rgb_to_grayscale(pixels)
        return gray
    return pixels.flip(-3) if channels is ColorChannels.BGR else pixels


def _packed(pixels: Tensor) -> Tensor:
    """Return pixels whose memory is theirs alone, channels last as decoders give them."""
    return pixels.movedim(-3, -1).contiguous().movedim(-1, -3)


def _ordered(pixels: Tensor, spec: ImageSpec) -> Tensor:
    """Return the dimensions of an image, ``(channels, height, width)``, in the network's order."""
    before = pixels.ndim - 3
    return pixels.permute(*range(before), *(before + each for each in _PERMUTATIONS[spec.dimension_order]))
