"""Networks that have nothing to do make room at once, and nothing of them stays in memory."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inference import model_cache
from inference.batcher import Batcher
from inference.errors import ImageError, NetworkError, without_frames
from inference.execution import Execution, prepared
from inference.loader import LoadedNetwork, load_network
from inference.model_cache import ModelCache, Room
from inference.network_use import NetworkUse
from tests.unit.inference.doubler import Doubler, sample
from tests.unit.inference.seeded_networks import CPU, description, images

WAIT_SECONDS = 20
NEVER = 1000.0


@pytest.fixture
def use() -> NetworkUse:
    return NetworkUse()


@pytest.fixture
def batcher(use: NetworkUse) -> Iterator[Batcher]:
    batcher = Batcher(4, use=use)
    yield batcher
    batcher.close()


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def is_gone(reference: "weakref.ref[object]") -> bool:
    """Tell whether an object is gone, in a moment: the lane that ran it may not have come to its next turn yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while reference() is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    return reference() is None


@pytest.mark.usefixtures("no_garbage_collection")
def test_idle_lane_holds_no_network(batcher: Batcher) -> None:
    network = Doubler()
    answer = batcher.submit(network, sample(1))
    answer.result(WAIT_SECONDS)
    reference = weakref.ref(network)
    del network
    assert is_gone(reference)
    assert answer.batch is not None  # the answer is still there


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("options", [{"poison": 1.0}, {"fits": 0}, {"fits": 1}])
def test_failures_hold_no_network(batcher: Batcher, options: dict[str, int]) -> None:
    network = Doubler(**options)  # type: ignore[arg-type]
    network.may_run.clear()
    answers = [batcher.submit(network, sample(value)) for value in (1, 1, 1)]
    network.may_run.set()
    for answer in answers:
        answer.exception(WAIT_SECONDS)
    reference = weakref.ref(network)
    del network
    assert is_gone(reference)


@pytest.mark.usefixtures("no_garbage_collection")
def test_halves_of_a_batch_have_the_memory_that_the_whole_batch_had_taken(batcher: Batcher) -> None:
    taken: list[weakref.ref[Tensor]] = []
    held: list[bool] = []

    class Greedy(Doubler):
        def run(self, samples: object) -> object:  # type: ignore[override]
            held.append(any(reference() is not None for reference in taken))
            activations = torch.zeros(10)
            taken.append(weakref.ref(activations))
            return super().run(samples)  # type: ignore[arg-type]

    network = Greedy(fits=1)
    network.may_run.clear()
    answers = [batcher.submit(network, sample(value)) for value in (1, 2, 3, 4)]
    network.may_run.set()
    for answer in answers:
        answer.result(WAIT_SECONDS)
    assert len(held) > 1
    assert not any(held)


@pytest.mark.usefixtures("no_garbage_collection")
def test_error_that_is_kept_holds_nothing_of_what_it_came_through() -> None:
    references: list[weakref.ref[Tensor]] = []

    def fail() -> None:
        pixels = torch.zeros(10)
        references.append(weakref.ref(pixels))
        try:
            raise ValueError("inner")
        except ValueError as error:
            raise ImageError("The image is damaged.") from error

    def kept() -> Exception:
        try:
            fail()
        except ImageError as error:
            return without_frames(error)
        raise AssertionError

    error = kept()
    assert references[0]() is None
    assert error.__cause__ is not None
    assert 'raise ValueError("inner")' in "".join(error.__cause__.__notes__)  # for the log


def loader(make: Callable[[], LoadedNetwork], nbytes: int) -> Callable[[Room], LoadedNetwork]:
    def load(room: Room) -> LoadedNetwork:
        with room(nbytes):
            return make()

    return load


def cache_for_one(nbytes: int, use: NetworkUse) -> ModelCache[LoadedNetwork]:
    """Return a cache with room for one of these, where none has to leave before the test ends but an idle one."""
    return ModelCache(nbytes + nbytes // 2, shortest_stay_seconds=NEVER, idle_seconds=use.idle_seconds)


@pytest.fixture
def long_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_cache, "LONGEST_STAY_SECONDS", NEVER)
    monkeypatch.setattr(model_cache, "LONGEST_WAIT_SECONDS", NEVER)


@pytest.mark.usefixtures("long_stay")
@pytest.mark.parametrize(
    ("weight_set", "frozen"),
    [("model.pt2", False), ("model.torchscript", True), ("weights.safetensors", True), ("weights.pth", False)],
)
def test_networks_take_turns_in_a_cache_for_one_and_leave_nothing(
    *, classifier_folders: dict[str, Path], weight_set: str, frozen: bool, batcher: Batcher, use: NetworkUse
) -> None:
    def make() -> LoadedNetwork:
        loaded = load_network(classifier_folders[weight_set], description(), CPU)
        return prepared(loaded, Execution(frozen=frozen))

    nbytes = make().nbytes
    cache, weights = cache_for_one(nbytes, use), []
    for key in ("a", "b", "a"):
        loaded = cache.begin(key, loader(make, nbytes)).result(WAIT_SECONDS)
        batcher.submit(loaded, tuple(images(1))).result(WAIT_SECONDS)
        if isinstance(loaded.module, nn.Module):
            weights += [weakref.ref(tensor) for tensor in (*loaded.module.parameters(), *loaded.module.buffers())][:1]
        assert cache.keys() == [key]
        assert sum(reference() is not None for reference in weights) <= 1
        del loaded
    assert cache.used_bytes() == nbytes


@pytest.mark.usefixtures("long_stay")
def test_network_in_use_stays(use: NetworkUse, batcher: Batcher) -> None:
    class Sized(Doubler):
        nbytes = 10

    busy = Sized()
    cache: ModelCache[Sized] = ModelCache(10, shortest_stay_seconds=NEVER, idle_seconds=use.idle_seconds)
    cache.put("busy", busy)
    with batcher.expecting(busy):
        waits = cache.begin("other", lambda room: _within(room, Sized()))
        time.sleep(2 * model_cache.IDLE_SECONDS)
        assert cache.keys() == ["busy"]
        busy.may_run.clear()
        answer = batcher.submit(busy, sample(1))
    time.sleep(2 * model_cache.IDLE_SECONDS)
    assert cache.keys() == ["busy"]
    busy.may_run.set()
    answer.result(WAIT_SECONDS)
    del busy
    waits.result(WAIT_SECONDS)
    assert cache.keys() == ["other"]


def test_network_that_waits_for_its_first_use_is_not_idle(use: NetworkUse) -> None:
    assert use.idle_seconds(Doubler()) == 0


def test_idle_networks_stay_while_there_is_room(use: NetworkUse, batcher: Batcher) -> None:
    class Sized(Doubler):
        nbytes = 10

    cache: ModelCache[Sized] = ModelCache(20, shortest_stay_seconds=0, idle_seconds=use.idle_seconds)
    for key in ("a", "b"):
        batcher.submit(cache.get(key, lambda room: _within(room, Sized())), sample(1)).result(WAIT_SECONDS)
    time.sleep(2 * model_cache.IDLE_SECONDS)
    assert cache.keys() == ["a", "b"]


@pytest.mark.usefixtures("no_garbage_collection")
def test_load_that_failed_holds_nothing(use: NetworkUse) -> None:
    references: list[weakref.ref[Tensor]] = []

    def fail(_room: Room) -> LoadedNetwork:
        weights = torch.zeros(10)
        references.append(weakref.ref(weights))
        raise NetworkError("The network cannot be loaded.")

    cache = cache_for_one(10, use)
    with pytest.raises(NetworkError):
        cache.get("a", fail)
    assert [thread for thread in threading.enumerate() if thread.name == "loader"] == []
    assert is_gone(references[0])


def _within(room: Room, network: Doubler) -> Doubler:
    with room(10):
        return network
