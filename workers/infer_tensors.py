"""Answers tasks that want a network's raw output tensors."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import orjson
import torch

from store.errors import NotFound, Unavailable
from store.task_records import ClaimedTask
from workers.catalogue import Catalogue
from workers.errors import TaskFailure
from workers.fetch_ahead import Fetched
from workers.handlers import Steps
from workers.image_inputs import ImageInputs
from workers.networks import NetworkRunner
from workers.stopwatch import Stage, Stopwatch

MOST_VALUES = 10_000_000  # about 200 MB of JSON


class TensorsHandler:
    """The path of an inference request for a network itself."""

    def __init__(self, catalogue: Catalogue, networks: NetworkRunner, images: ImageInputs) -> None:
        self._catalogue = catalogue
        self._networks = networks
        self._images = images

    def loading(self, task: ClaimedTask) -> "Future[Any] | None":
        """Return the future of the network if it is not in memory yet."""
        try:
            return self._networks.loading(self._catalogue.network(task.request["network_id"]))
        except (NotFound, Unavailable):  # which answer() meets as well, and tells
            return None

    def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        """Answer with ``{"tensors": [{"name", "shape", "dims", "data"}]}``: row-major, a batch dimension of size 1."""
        try:
            network = self._catalogue.network(task.request["network_id"])
        except NotFound as error:
            raise TaskFailure("The network was deleted before the task could run.") from error
        loaded = self._networks.load(network)
        stopwatch.lap(Stage.LOAD)
        with self._networks.expecting(loaded):
            prepared = yield from self._images.prepare(task, fetched, loaded, stopwatch)
            answer = self._networks.submit(network, loaded, [image.tensor for image in prepared])
        del loaded  # so that its memory is free as soon as its last batch has run
        yield answer
        tensors = answer.result()
        stopwatch.batch_lap(answer.batch)
        names = task.request["output_tensors"] or list(tensors)
        for name in names:
            if name not in tensors:
                raise TaskFailure(f"The network has no output tensor {name!r}; it has {', '.join(tensors)}.")
        check_size({name: tensors[name] for name in names})
        data = orjson.dumps({"tensors": [_describe(name, tensors[name]) for name in names]})
        stopwatch.lap(Stage.POSTPROCESS)
        return data

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Nothing but the task itself has to know."""


def check_size(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse an answer that would take gigabytes as text, in this process and in Redis.

    Raises:
        TaskFailure: if the tensors have more than ``MOST_VALUES`` together.
    """
    values = sum(tensor.numel() for tensor in tensors.values())
    if values > MOST_VALUES:
        raise TaskFailure(
            f"The output tensors have {values} values, which is over the limit of {MOST_VALUES} for one answer;"
            " ask for some of them with output_tensors."
        )


def _describe(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    if tensor.is_floating_point():
        tensor = tensor.float()  # half precisions have no NumPy or JSON form of their own
    shape = [1, *tensor.shape]
    # ``dims`` is what releases of the public client before 0.10 read.
    return {"name": name, "shape": shape, "dims": shape, "data": tensor.flatten().tolist()}
