"""What the handlers of inference tell the batcher of their images: that they are about to come, and when they do."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from config.queues import TaskKind
from inference.errors import ImageError
from inference.waiting import Answer
from store.task_records import ClaimedTask
from workers.catalogue import Catalogue
from workers.image_inputs import ImageInputs
from workers.infer_tensors import TensorsHandler
from workers.networks import NetworkRunner
from workers.recognise import RecognitionHandler
from workers.stopwatch import Stopwatch

Handler = type[RecognitionHandler] | type[TensorsHandler]
NETWORK = SimpleNamespace(id=1)
CATALOGUE = SimpleNamespace(version=lambda _: SimpleNamespace(network=NETWORK), network=lambda _: NETWORK)
TASK = ClaimedTask("1", 1, TaskKind.RECOGNITION, 1, 1, {"version_id": 1, "network_id": 1}, [], 0.0)


class Events:
    """Stands for the networks and the preparation of images, and notes what is asked of them in order."""

    def __init__(self, error: Exception | None = None) -> None:
        self.noted: list[str] = []
        self._error = error

    def load(self, _network: Any) -> None:
        self.noted.append("load")

    @contextmanager
    def expecting(self, _loaded: Any) -> Iterator[None]:
        self.noted.append("expect")
        try:
            yield
        finally:
            self.noted.append("expect no more")

    def prepare(self, *_given: Any) -> Iterator[Future[Any]]:
        self.noted.append("prepare")
        if self._error is not None:
            raise self._error
        yield Future()
        return [SimpleNamespace(tensor=torch.zeros(1))]

    def submit(self, *_given: Any) -> Answer:
        self.noted.append("submit")
        return Answer()


def steps_of(handler: Handler, events: Events) -> Iterator[Future[Any]]:
    """Return the steps of a task."""
    made = handler(cast(Catalogue, CATALOGUE), cast(NetworkRunner, events), cast(ImageInputs, events))
    return made.answer(TASK, {}, Stopwatch())


@pytest.mark.parametrize("handler", [RecognitionHandler, TensorsHandler])
def test_image_is_expected_until_it_is_submitted(handler: Handler) -> None:
    events = Events()
    steps = steps_of(handler, events)
    next(steps)  # the image is being decoded
    assert events.noted == ["load", "expect", "prepare"]
    assert isinstance(next(steps), Answer)
    assert events.noted[3:] == ["submit", "expect no more"]


@pytest.mark.parametrize("handler", [RecognitionHandler, TensorsHandler])
def test_image_that_cannot_be_read_is_expected_no_more(handler: Handler) -> None:
    events = Events(ImageError("This is not an image."))
    with pytest.raises(ImageError):
        next(steps_of(handler, events))
    assert events.noted == ["load", "expect", "prepare", "expect no more"]
