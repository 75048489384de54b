"""What a user would write with torchvision alone, to compare the answers of a service with.

Nothing of ours is imported here: these few lines are the reference.
"""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.io import decode_image
from torchvision.transforms.v2 import functional

SIZES = [(320, 240), (64, 48), (200, 150), (97, 131), (128, 128), (480, 90), (60, 300), (513, 511)]
JPEG_QUALITY = 90


def image_files() -> list[bytes]:
    """Return images of several sizes, wide and high, JPEG and PNG in turn, each with a content of its own."""
    generator = np.random.default_rng(5)
    files = []
    for index, size in enumerate(SIZES):
        blobs = generator.integers(0, 256, (5 + index, 7, 3), dtype=np.uint8)
        image = Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "PNG" if index % 2 else "JPEG", quality=JPEG_QUALITY)
        files.append(buffer.getvalue())
    return files


def pixels_of(file: bytes) -> Tensor:
    """Return the image as uint8 ``(3, height, width)``."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "The image decoding and encoding capabilities of TorchVision", DeprecationWarning
        )
        return decode_image(torch.frombuffer(bytearray(file), dtype=torch.uint8), mode="RGB")


def squashed(image: Tensor, height: int, width: int) -> Tensor:
    return functional.resize(image, [height, width], antialias=True)


def cropped(image: Tensor, side: int) -> Tensor:
    return functional.center_crop(functional.resize(image, [side], antialias=True), [side, side])


def shrunk(image: Tensor, longest: int) -> Tensor:
    return functional.resize(image, size=None, max_size=longest, antialias=True)


def filled(image: Tensor, side: int) -> Tensor:
    small = shrunk(image, side)
    height, width = small.shape[-2:]
    left, top = (side - width) // 2, (side - height) // 2
    return functional.pad(small, [left, top, side - width - left, side - height - top], fill=255)


def gray_of(image: Tensor) -> Tensor:
    return functional.rgb_to_grayscale(image)


def normalised(image: Tensor, mean: Sequence[float] = (0, 0, 0), std: Sequence[float] = (1, 1, 1)) -> Tensor:
    """Return a batch of one image, scaled to [0, 1] and then normalised."""
    values = functional.to_dtype(image, torch.float32, scale=True)
    return functional.normalize(values, list(mean), list(std))[None]


def run(model: nn.Module, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
    with torch.inference_mode():
        result: Tensor | tuple[Tensor, ...] = model(*inputs)
    return result
