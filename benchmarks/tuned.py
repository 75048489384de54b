"""The best plain PyTorch that we know for a network: what the bare loop, LitServe and the tutorial's workers run.

Weights converted to the precision that the service's deployment chose, channels last, torchvision's decoder, the
resize on bytes, one pass to normalise, which a GPU does for a whole batch; as modules, or as a frozen graph where the
deployment chose one. What is faster without a service around it belongs here.
"""

import warnings

import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import functional

from benchmarks.workload import build_network

MODULES, GRAPH = "modules", "graph"
SIDE = 224
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = 255 * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class TunedNetwork:
    """A torchvision network with seeded weights, on the GPU if there is one.

    Args:
        builder: torchvision's name of it.
        precision: the torch dtype to compute in, such as ``bfloat16``.
        form: ``modules``, or ``graph`` for a frozen one.
    """

    def __init__(self, builder: str, precision: str, form: str) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._on_gpu = self.device.type == "cuda"
        self._mean, self._std = MEAN.to(self.device), STD.to(self.device)
        self.dtype: torch.dtype = getattr(torch, precision)
        network = build_network(builder).to(self.device, self.dtype, memory_format=torch.channels_last)
        self._network = network if form == MODULES else self._frozen(network)

    def _frozen(self, network: torch.nn.Module) -> torch.nn.Module:
        example = torch.zeros(2, 3, SIDE, SIDE, dtype=self.dtype, device=self.device)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            graph: torch.nn.Module = torch.jit.freeze(torch.jit.trace(network, example))
            return graph

    def prepare(self, jpeg: bytes) -> Tensor:
        """Return the ``(3, 224, 224)`` input of a JPEG, on the CPU; for a GPU, its pixels."""
        encoded = torch.frombuffer(bytearray(jpeg), dtype=torch.uint8)
        image: Tensor = functional.resize(decode_jpeg(encoded, ImageReadMode.RGB), [SIDE, SIDE], antialias=True)
        return image if self._on_gpu else image.float().sub_(MEAN).div_(STD).to(self.dtype)

    def stack(self, inputs: list[Tensor]) -> Tensor:
        """Return a batch of prepared inputs, channels last, on the CPU."""
        if not self._on_gpu:
            return torch.stack(inputs).contiguous(memory_format=torch.channels_last)
        batch = torch.empty((len(inputs), SIDE, SIDE, 3), dtype=torch.uint8, pin_memory=True)
        torch.stack([image.permute(1, 2, 0) for image in inputs], out=batch)
        return batch.permute(0, 3, 1, 2)

    @torch.inference_mode()
    def scores(self, batch: Tensor) -> list[list[float]]:
        """Return the scores of each input of a batch."""
        scores: list[list[float]] = self.forward(batch.to(self.device, non_blocking=True)).tolist()
        return scores

    def forward(self, batch: Tensor) -> Tensor:
        """Return the scores of a batch that is on the device, there."""
        if self._on_gpu:
            batch = batch.float().sub_(self._mean).div_(self._std).to(self.dtype)
        outputs: Tensor = self._network(batch)
        return outputs.float().softmax(1)


def best_labels(scores: list[float], count: int = 5) -> list[dict[str, float]]:
    """Return what a server answers: the best labels with their scores."""
    values, indices = torch.tensor(scores).topk(count)
    return [{"label_id": index, "score": value} for value, index in zip(values.tolist(), indices.tolist(), strict=True)]
