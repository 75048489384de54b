"""A network that is ready to run on a device.

The loader makes it, the model cache keeps it, and the batcher feeds it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn

from inference.errors import DeviceLostError, InferenceError, NetworkError, reason_of
from inference.network import ImageSpec, NetworkDescription
from inference.outputs import split_outputs
from inference.warning_filters import QuietWarning

Sample = tuple[Tensor, ...]
"""The inputs of one recognition, one tensor for each input of the network, without batch dimension."""

Outputs = dict[str, Tensor]
"""The output tensors of one sample by name, without batch dimension."""

_quiet_detectors = QuietWarning(message=r"\w+ always returns a \(Losses, Detections\) tuple in scripting")


class LoadedNetwork:
    """The weights of a network on a device, and how they are called.

    Args:
        module: the network, in evaluation mode, on ``device``.
        takes_image_list: the network's only argument is a list of images instead of one batched tensor.
        mean_images: the values of the mean files by name, as float32 in HWC order.
        precision: what the module computes in where that is safe (convolutions, products); the weights stay as they
            are, and outputs of a lower precision are given as float32.
        is_frozen: the module is a frozen graph, which converts to ``precision`` by itself.
    """

    def __init__(
        self,
        module: Callable[..., Any],
        description: NetworkDescription,
        device: torch.device,
        *,
        nbytes: int,
        takes_image_list: bool = False,
        mean_images: Mapping[str | None, Tensor] | None = None,
        precision: torch.dtype = torch.float32,
        is_frozen: bool = False,
    ) -> None:
        self.module = module
        self.description = description
        self.device = device
        self.nbytes = nbytes
        self.takes_image_list = takes_image_list
        self.precision = precision
        self.is_frozen = is_frozen
        self._mean_images = dict(mean_images or {})

    def at(self, precision: torch.dtype) -> Self:
        """Return this network, its weights shared, computing in another precision."""
        return type(self)(
            self.module,
            self.description,
            self.device,
            nbytes=self.nbytes,
            takes_image_list=self.takes_image_list,
            mean_images=self._mean_images,
            precision=precision,
            is_frozen=self.is_frozen,
        )

    def mean_image(self, spec: ImageSpec) -> Tensor | None:
        """Return what to subtract from the images of an input: float32 in HWC order, or None."""
        return self._mean_images.get(spec.mean_file)

    def run(self, samples: Sequence[Sample]) -> list[Outputs]:
        """Run samples as one batch, or one by one if the network takes no batches.

        Args:
            samples: for each the input tensors, all of equal shapes and dtypes.

        Returns:
            For each sample the network's output tensors by name, on the CPU and without batch dimension.

        Raises:
            torch.OutOfMemoryError: when the device (or the machine) has not enough memory for the batch.
            NetworkError: when the network fails on the samples or returns something that cannot be used.
            DeviceLostError: when the device failed in a way that only a new process gets over.
        """
        groups = [samples] if self.description.batched_output else [[sample] for sample in samples]
        return [tensors for group in groups for tensors in self._run_batch(group)]

    def _run_batch(self, samples: Sequence[Sample]) -> list[Outputs]:
        _quiet_detectors()
        try:
            # A frozen graph has the conversions in it.
            precision = torch.float32 if self.is_frozen else self.precision
            with torch.inference_mode(), computing_in(precision, self.device):
                outputs = self._call(samples)
            results = split_outputs(outputs, len(samples), self.description.tensor_names)
            return results if self.precision is torch.float32 else [self._widened(result) for result in results]
        except (torch.OutOfMemoryError, InferenceError):
            raise
        except torch.AcceleratorError as error:
            raise DeviceLostError(reason_of(error)) from error
        except Exception as error:  # a network is a program: it raises anything
            if "not enough memory" in str(error) or isinstance(error, MemoryError):  # how the CPU's allocator says it
                raise torch.OutOfMemoryError(reason_of(error)) from error
            raise NetworkError(f"The network failed on its input: {reason_of(error)}") from error

    def _widened(self, tensors: Outputs) -> Outputs:
        return {name: tensor.float() if tensor.dtype is self.precision else tensor for name, tensor in tensors.items()}

    def _call(self, samples: Sequence[Sample]) -> object:
        if self.takes_image_list:
            return self.module([sample[0].to(self.device, non_blocking=True) for sample in samples])
        inputs = [
            torch.stack(tensors) if len(tensors) > 1 else tensors[0][None] for tensors in zip(*samples, strict=True)
        ]
        return self.module(*(tensor.to(self.device, non_blocking=True) for tensor in inputs))


def computing_in(precision: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which modules compute in ``precision`` where that is safe."""
    if precision is torch.float32:
        return nullcontext()
    # The cache of casts is for training: frozen weights are never in it.
    return torch.autocast(device.type, dtype=precision, cache_enabled=False)


def bytes_of(module: nn.Module) -> int:
    """Return the bytes of a module's parameters and buffers, shared ones once."""
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
