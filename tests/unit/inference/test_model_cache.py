"""The cache of loaded networks: one load for all who wait, the least recently used leaves, failures are told."""

import threading
from dataclasses import dataclass

import pytest

from inference import model_cache
from inference.model_cache import ModelCache


@dataclass
class Weights:
    nbytes: int


def test_network_is_loaded_once_however_many_wait() -> None:
    cache = ModelCache[Weights](100)
    loads = []
    begun, may_load = threading.Event(), threading.Event()

    def load() -> Weights:
        loads.append(1)
        begun.set()
        assert may_load.wait(10)
        return Weights(10)

    found: list[Weights] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get("a", load))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    may_load.set()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert all(weights is found[0] for weights in found)


def test_loading_one_network_does_not_hold_up_another() -> None:
    cache = ModelCache[Weights](100)
    begun, may_load = threading.Event(), threading.Event()

    def slow() -> Weights:
        begun.set()
        assert may_load.wait(10)
        return Weights(1)

    thread = threading.Thread(target=cache.get, args=("slow", slow))
    thread.start()
    assert begun.wait(10)
    assert cache.get("quick", lambda: Weights(2)).nbytes == 2
    may_load.set()
    thread.join()


def test_least_recently_used_leaves_when_the_budget_is_spent() -> None:
    cache = ModelCache[Weights](25)
    for key in "ab":
        cache.get(key, lambda: Weights(10))
    cache.get("a", lambda: Weights(10))
    cache.get("c", lambda: Weights(10))
    assert cache.keys() == ["a", "c"]


def test_network_larger_than_the_budget_still_runs() -> None:
    cache = ModelCache[Weights](5)
    assert cache.get("big", lambda: Weights(10)).nbytes == 10
    assert cache.keys() == ["big"]


def test_failed_load_is_told_to_all_and_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ModelCache[Weights](100)
    attempts = []

    def fail() -> Weights:
        attempts.append(1)
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cache.get("a", fail)
    assert len(attempts) == 1
    monkeypatch.setattr(model_cache, "FAILURE_MEMORY_SECONDS", -1)
    assert cache.get("a", lambda: Weights(1)).nbytes == 1


def test_forgotten_network_is_loaded_anew() -> None:
    cache = ModelCache[Weights](100)
    cache.get("a", lambda: Weights(1))
    cache.forget("a")
    assert cache.get("a", lambda: Weights(2)).nbytes == 2


def test_what_is_put_takes_the_place_of_what_was_loaded() -> None:
    cache = ModelCache[Weights](25)
    cache.get("other", lambda: Weights(10))
    cache.get("a", lambda: Weights(10))
    better = Weights(20)
    cache.put("a", better)
    assert cache.get("a", lambda: Weights(1)) is better
    assert cache.keys() == ["a"]  # the budget holds here, too
