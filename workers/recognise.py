"""Answers recognition tasks: images through a version's network, and its outputs to labels and boxes."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import orjson
from cachetools import LRUCache, cached

from inference.postprocess import OutputDescription, postprocess
from store.errors import NotFound, Unavailable
from store.records import RunnableVersion
from store.task_records import ClaimedTask
from workers.catalogue import REMEMBERED, Catalogue
from workers.errors import TaskFailure
from workers.fetch_ahead import Fetched
from workers.handlers import Steps
from workers.image_inputs import ImageInputs
from workers.networks import NetworkRunner
from workers.stopwatch import Stage, Stopwatch


class RecognitionHandler:
    """The path of an inference request for a specification or a version."""

    def __init__(self, catalogue: Catalogue, networks: NetworkRunner, images: ImageInputs) -> None:
        self._catalogue = catalogue
        self._networks = networks
        self._images = images
        self._outputs = cached(LRUCache(REMEMBERED), key=_version_id, lock=threading.Lock())(_describe_outputs)

    def loading(self, task: ClaimedTask) -> "Future[Any] | None":
        """Return the future of the network if it is not in memory yet."""
        try:
            return self._networks.loading(self._catalogue.version(task.request["version_id"]).network)
        except (NotFound, Unavailable):  # which answer() meets as well, and tells
            return None

    def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        """Answer with ``{"outputs": [{"labels": {"predicted": [...], "discarded": [...]}}]}``."""
        try:
            runnable = self._catalogue.version(task.request["version_id"])
        except NotFound as error:
            raise TaskFailure("The version was deleted before the task could run.") from error
        loaded = self._networks.load(runnable.network)
        stopwatch.lap(Stage.LOAD)
        with self._networks.expecting(loaded):
            prepared = yield from self._images.prepare(task, fetched, loaded, stopwatch)
            answer = self._networks.submit(runnable.network, loaded, [image.tensor for image in prepared])
        del loaded  # so that its memory is free as soon as its last batch has run
        yield answer
        tensors = answer.result()
        stopwatch.batch_lap(answer.batch)
        outputs = [
            postprocess(output, tensors, prepared[0], task.request["show_discarded"], task.request["max_predictions"])
            for output in self._outputs(runnable)
        ]
        data = orjson.dumps({"outputs": outputs})
        stopwatch.lap(Stage.POSTPROCESS)
        return data

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Nothing but the task itself has to know."""


def _version_id(runnable: RunnableVersion) -> int:
    return runnable.version.id


def _describe_outputs(runnable: RunnableVersion) -> tuple[OutputDescription, ...]:
    return tuple(map(OutputDescription.from_json, runnable.spec.outputs, runnable.version.post_processings))
