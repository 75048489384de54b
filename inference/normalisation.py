"""From pixels to the numbers that a network computes with: ``(pixels * scaling / 255 - mean) / std``.

On a CPU, each image is normalised in the thread that decoded it. On a GPU, whole batches are: that takes microseconds
there, and until then pixels are a quarter of the bytes to keep, to stack and to send over. Both give the same bits.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import NetworkError
from inference.network import DataType, DimensionOrder, ImageSpec

_CHANNEL_AXES = {
    DimensionOrder.NCHW: 1,
    DimensionOrder.NCWH: 1,
    DimensionOrder.NHWC: 3,
    DimensionOrder.NWHC: 3,
}


def normalise(pixels: Tensor, spec: ImageSpec, mean_image: Tensor | None) -> Tensor:
    """Return an image, uint8 ``(C, H, W)`` on the CPU, as numbers of the wanted type, contiguous.

    NumPy gives the same bits as PyTorch, at the same speed on one core. PyTorch would give each of the many threads
    that come here a team of as many more as there are cores, which would take these from the device's thread.

    Raises:
        NetworkError: when the mean image does not fit the input's size.
    """
    mean = _mean_of(pixels, spec, mean_image)
    if spec.data_type is DataType.UINT8 and spec.pixel_scaling == 255.0 and mean is None and spec.std is None:
        return pixels
    # The copy to float puts the channels first as well: one pass over the pixels, all that follows is in place.
    values = pixels.numpy().astype(np.float32, order="C")
    if spec.pixel_scaling != 255.0:
        values *= np.float32(spec.pixel_scaling / 255.0)
    if mean is not None:
        values -= mean
    if spec.std is not None:
        values /= _per_channel(spec.std)
    if spec.data_type is DataType.UINT8:
        return torch.from_numpy(np.rint(values).clip(0, 255).astype(np.uint8))
    return torch.from_numpy(values.astype(np.float16) if spec.data_type is DataType.FLOAT16 else values)


def can_wait(spec: ImageSpec) -> bool:
    """Tell whether an input may stay pixels until :class:`BatchNormalisation` gets them: numbers, by channel."""
    return spec.data_type is not DataType.UINT8 and spec.mean_file is None


class BatchNormalisation:
    """Normalises batches of one input on a device; what it needs for that is there already, so that it never waits.

    Args:
        spec: an input that ``can_wait``.
        device: where the batches are.
    """

    def __init__(self, spec: ImageSpec, device: torch.device) -> None:
        shape = [1, 1, 1, 1]
        shape[_CHANNEL_AXES[spec.dimension_order]] = -1
        self._scaling = None if spec.pixel_scaling == 255.0 else float(np.float32(spec.pixel_scaling / 255.0))
        self._mean = None if spec.mean is None else torch.tensor(spec.mean, device=device).view(shape)
        self._std = None if spec.std is None else torch.tensor(spec.std, device=device).view(shape)
        self._dtype = torch.float16 if spec.data_type is DataType.FLOAT16 else torch.float32

    def __call__(self, batch: Tensor) -> Tensor:
        """Return a batch as numbers, contiguous; one that does not hold pixels, in uint8, is given back as it is."""
        if batch.dtype is not torch.uint8:
            return batch
        values = batch.to(torch.float32)
        if self._scaling is not None:
            values *= self._scaling
        if self._mean is not None:
            values -= self._mean
        if self._std is not None:
            values /= self._std
        return values.to(self._dtype).contiguous()


def _per_channel(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1)


def _mean_of(pixels: Tensor, spec: ImageSpec, mean_image: Tensor | None) -> NDArray[np.float32] | None:
    if mean_image is None:
        return None if spec.mean is None else _per_channel(spec.mean)
    channels, height, width = pixels.shape
    try:
        expanded: NDArray[np.float32] = mean_image.expand(height, width, channels).permute(2, 0, 1).numpy()
        return expanded
    except RuntimeError as error:
        shape = "x".join(str(size) for size in mean_image.shape)
        raise NetworkError(
            f"The mean file of shape {shape} does not fit an input of {height}x{width}x{channels}."
        ) from error
