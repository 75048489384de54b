"""A network that is ready to run on a device.

The loader makes it, the model cache keeps it, and the batcher feeds it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn

from inference.errors import DeviceLostError, InferenceError, NetworkError, reason_of
from inference.network import ImageSpec, NetworkDescription
from inference.normalisation import BatchNormalisation, can_wait
from inference.outputs import only, split_outputs
from inference.recordings import Recordings
from inference.stacking import stacked, wait_for
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
        keywords: the names by which the module takes its inputs; None if it takes them by place.
        outputs: the names of the outputs that are kept; None keeps all that are tensors with a row for each sample.
    """

    def __init__(
        self,
        module: Callable[..., Any],
        description: NetworkDescription,
        device: torch.device,
        *,
        weight_bytes: int,
        takes_image_list: bool = False,
        mean_images: Mapping[str | None, Tensor] | None = None,
        precision: torch.dtype = torch.float32,
        is_frozen: bool = False,
        keywords: Sequence[str] | None = None,
        outputs: frozenset[str] | None = None,
    ) -> None:
        self.module = module
        self.description = description
        self.device = device
        self.weight_bytes = weight_bytes
        self.takes_image_list = takes_image_list
        self.precision = precision
        self.is_frozen = is_frozen
        self.keywords = keywords
        self.outputs = outputs
        self._mean_images = dict(mean_images or {})
        self._recordings: Recordings | None = None
        self._normalisations = [
            BatchNormalisation(spec, device) if can_wait(spec) else None for spec in description.inputs
        ]

    @property
    def nbytes(self) -> int:
        """Bytes of device memory that are taken as long as the network is loaded."""
        return self.weight_bytes + (0 if self._recordings is None else self._recordings.nbytes)

    def at(self, precision: torch.dtype) -> Self:
        """Return this network, its weights shared, computing in another precision."""
        return type(self)(
            self.module,
            self.description,
            self.device,
            weight_bytes=self.weight_bytes,
            takes_image_list=self.takes_image_list,
            mean_images=self._mean_images,
            precision=precision,
            is_frozen=self.is_frozen,
            keywords=self.keywords,
            outputs=self.outputs,
        )

    def find_outputs(self, sample: Sample) -> list[dict[str, str]]:
        """Run one sample, keep from now on what is a tensor with a row for each, and return what is left out and why.

        Raises:
            NetworkError, torch.OutOfMemoryError, DeviceLostError: as ``run`` does.
        """
        rows, left_out = self._run_batch([sample])
        self.keep_outputs(rows[0])
        return [{"name": name, "reason": f"The output {flaw}."} for name, flaw in left_out.items()]

    def keep_outputs(self, names: Iterable[str]) -> None:
        """Keep the outputs of these names, and nothing else: it was found once, on one sample, what is of use.

        The batches to come must not decide that: a constant of eight rows would pass for an output of eight samples.
        """
        self.outputs = frozenset(names)

    def mean_image(self, spec: ImageSpec) -> Tensor | None:
        """Return what to subtract from the images of an input: float32 in HWC order, or None."""
        return self._mean_images.get(spec.mean_file)

    def normalises(self, spec: ImageSpec) -> bool:
        """Tell whether samples hold the pixels of an input, and their batch is normalised on the device."""
        return self.device.type == "cuda" and not self.takes_image_list and can_wait(spec)

    def only_kept(self, output: object) -> object:
        """Return what is kept of what the module returned, by name; all of it until that has been found."""
        return output if self.outputs is None else only(output, self.description.tensor_names, self.outputs)

    def selection(self) -> Callable[[object], object]:
        """Return ``only_kept`` as a function that does not hold the network, which could not leave otherwise."""
        names, kept = self.description.tensor_names, self.outputs
        return lambda output: output if kept is None else only(output, names, kept)

    def normalised(self, sample: Sample) -> Sample:
        """Return the inputs of a sample as the module gets them, on the CPU and without batch dimension."""
        return tuple(
            tensor[0].cpu() for tensor in self._normalise(*(tensor[None].to(self.device) for tensor in sample))
        )

    def record(self, samples: Sequence[Sample]) -> bool:
        """Have batches recorded when the first of a size runs, if that can be done with this one; tell whether.

        What was recorded before is forgotten then.

        Raises:
            torch.OutOfMemoryError: when the device has not enough memory for it.
            DeviceLostError: when the device failed in a way that only a new process gets over.
        """
        recordings = Recordings(self.device)
        try:
            with torch.inference_mode():
                if not recordings.record(self._forward, self._batch(samples)):
                    return False
        except torch.AcceleratorError as error:
            raise DeviceLostError(reason_of(error)) from error
        self._recordings = recordings
        return True

    @property
    def is_recorded(self) -> bool:
        """Whether batches are replayed where they can be."""
        return self._recordings is not None

    def run(self, samples: Sequence[Sample]) -> list[Outputs]:
        """Run samples as one batch, or one by one if the network takes no batches.

        Args:
            samples: for each the input tensors, all of equal shapes and dtypes; pixels, in uint8, where an input is
                normalised on the device.

        Returns:
            For each sample the network's output tensors by name, on the CPU and without batch dimension.

        Raises:
            torch.OutOfMemoryError: when the device (or the machine) has not enough memory for the batch.
            NetworkError: when the network fails on the samples or returns something that cannot be used.
            DeviceLostError: when the device failed in a way that only a new process gets over.
        """
        groups = [samples] if self.description.batched_output else [[sample] for sample in samples]
        return [tensors for group in groups for tensors in self._run_batch(group)[0]]

    def _run_batch(self, samples: Sequence[Sample]) -> tuple[list[Outputs], dict[str, str]]:
        _quiet_detectors()
        try:
            with torch.inference_mode():
                outputs = self._call(samples)
                wait_for(self.device)
            rows, left_out = split_outputs(outputs, len(samples), self.description.tensor_names, self.outputs)
            return rows if self.precision is torch.float32 else [self._widened(row) for row in rows], left_out
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
            with self._computing():
                return self.module([sample[0].to(self.device, non_blocking=True) for sample in samples])
        batch = self._batch(samples)
        if self._recordings is not None:
            return self._recordings.run(self._forward, batch)
        return self._forward(*(tensor.to(self.device, non_blocking=True) for tensor in batch))

    def _batch(self, samples: Sequence[Sample]) -> list[Tensor]:
        return [stacked(tensors, self.device) for tensors in zip(*samples, strict=True)]

    def _forward(self, *batch: Tensor) -> object:
        """Run tensors that are on the device."""
        inputs = self._normalise(*batch)
        with self._computing():
            output = self.module(*inputs) if self.keywords is None else self._called_by_name(inputs)
        return self.only_kept(output)

    def _called_by_name(self, inputs: Sequence[Tensor]) -> object:
        return self.module(**dict(zip(self.keywords or (), inputs, strict=True)))

    def _normalise(self, *batch: Tensor) -> list[Tensor]:
        return [
            tensor if normalise is None else normalise(tensor)
            for tensor, normalise in zip(batch, self._normalisations, strict=True)
        ]

    def _computing(self) -> AbstractContextManager[object]:
        # A frozen graph has the conversions in it.
        return computing_in(torch.float32 if self.is_frozen else self.precision, self.device)


def computing_in(precision: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which modules compute in ``precision`` where that is safe."""
    if precision is torch.float32:
        return nullcontext()
    # The cache of casts is for training: frozen weights are never in it.
    return torch.autocast(device.type, dtype=precision, cache_enabled=False)


def bytes_of(module: nn.Module) -> int:
    """Return the bytes of a module's parameters and buffers, shared ones once."""
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
