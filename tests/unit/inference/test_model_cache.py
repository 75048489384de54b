"""The cache of loaded networks: one load for all who wait, the least recently used leaves, failures are told."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from inference import model_cache
from inference.model_cache import LOADS_AT_ONCE, ModelCache, Room

WAIT_SECONDS = 10
STAY_SECONDS = 0.3


@dataclass
class Weights:
    nbytes: int


def weights(nbytes: int) -> Callable[[Room], Weights]:
    """Return a load of so many bytes, which waits for its room."""

    def load(room: Room) -> Weights:
        with room(nbytes):
            return Weights(nbytes)

    return load


def cache_of(budget: int) -> ModelCache[Weights]:
    """Return a cache from which networks may leave at once."""
    return ModelCache[Weights](budget, shortest_stay_seconds=0)


def test_network_is_loaded_once_however_many_wait() -> None:
    cache = cache_of(100)
    loads = []
    begun, may_load = threading.Event(), threading.Event()

    def load(room: Room) -> Weights:
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
    cache = cache_of(100)
    begun, may_load = threading.Event(), threading.Event()

    def slow(room: Room) -> Weights:
        begun.set()
        assert may_load.wait(10)
        return Weights(1)

    thread = threading.Thread(target=cache.get, args=("slow", slow))
    thread.start()
    assert begun.wait(10)
    assert cache.get("quick", weights(2)).nbytes == 2
    may_load.set()
    thread.join()


def test_least_recently_used_leaves_when_the_budget_is_spent() -> None:
    cache = cache_of(25)
    for key in "ab":
        cache.get(key, weights(10))
    cache.get("a", weights(10))
    cache.get("c", weights(10))
    assert cache.keys() == ["a", "c"]


def test_network_larger_than_the_budget_still_runs() -> None:
    cache = cache_of(5)
    assert cache.get("big", weights(10)).nbytes == 10
    assert cache.keys() == ["big"]


def test_failed_load_is_told_to_all_and_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(100)
    attempts = []

    def fail(room: Room) -> Weights:
        attempts.append(1)
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cache.get("a", fail)
    assert len(attempts) == 1
    monkeypatch.setattr(model_cache, "FAILURE_MEMORY_SECONDS", -1)
    assert cache.get("a", weights(1)).nbytes == 1


def test_forgotten_network_is_loaded_anew() -> None:
    cache = cache_of(100)
    cache.get("a", weights(1))
    cache.forget("a")
    assert cache.get("a", weights(2)).nbytes == 2


def test_what_is_put_takes_the_place_of_what_was_loaded() -> None:
    cache = cache_of(25)
    cache.get("other", weights(10))
    cache.get("a", weights(10))
    better = Weights(20)
    cache.put("a", better)
    assert cache.get("a", weights(1)) is better
    assert cache.keys() == ["a"]  # the budget holds here, too


def test_network_stays_for_a_while_however_many_others_are_wanted() -> None:
    cache = ModelCache[Weights](10, shortest_stay_seconds=STAY_SECONDS)
    cache.get("a", weights(10))
    loaded_at = time.monotonic()
    other = cache.begin("b", weights(10))
    assert cache.keys() == ["a"]
    other.result(WAIT_SECONDS)
    assert time.monotonic() - loaded_at >= STAY_SECONDS
    assert cache.keys() == ["b"]


def test_network_that_took_long_to_load_stays_longer() -> None:
    cache = cache_of(10)

    def slow(room: Room) -> Weights:
        with room(10):
            time.sleep(0.1)
            return Weights(10)

    cache.get("slow", slow)
    loaded_at = time.monotonic()
    cache.get("b", weights(10))
    assert time.monotonic() - loaded_at >= 0.1 * (model_cache.STAY_OVER_LOAD - 1)


def test_few_networks_are_loaded_at_once() -> None:
    cache = cache_of(100)
    lock, may_load, now, most = threading.Lock(), threading.Event(), 0, 0

    def load(room: Room) -> Weights:
        nonlocal now, most
        with room(1):
            with lock:
                now += 1
                most = max(most, now)
            assert may_load.wait(WAIT_SECONDS)
            with lock:
                now -= 1
            return Weights(1)

    futures = [cache.begin(str(number), load) for number in range(2 * LOADS_AT_ONCE)]
    time.sleep(0.1)
    may_load.set()
    for future in futures:
        future.result(WAIT_SECONDS)
    assert most == LOADS_AT_ONCE


def test_network_that_left_while_it_was_used_comes_back_for_nothing() -> None:
    cache = cache_of(10)
    used = cache.get("a", weights(10))
    cache.put("b", Weights(10))
    assert cache.keys() == ["b"]
    assert cache.get("a", weights(10)) is used


def test_memory_of_a_network_is_free_when_its_last_user_has_let_go_of_it() -> None:
    cache = cache_of(10)
    used: Weights | None = cache.get("a", weights(10))
    other = cache.begin("b", weights(10))
    time.sleep(0.1)
    assert not other.done()
    assert used is not None
    used = None
    other.result(WAIT_SECONDS)
    assert cache.used_bytes() == 10


def test_pinned_network_never_leaves() -> None:
    cache = cache_of(20)
    cache.get("pinned", weights(10), is_pinned=True)
    for key in "abc":
        cache.get(key, weights(10))
    assert cache.keys() == ["pinned", "c"]
    cache.make_room()
    assert cache.keys() == ["pinned"]


def test_load_that_finds_nothing_but_pinned_networks_goes_ahead() -> None:
    cache = cache_of(10)
    cache.get("pinned", weights(10), is_pinned=True)
    assert cache.begin("b", weights(10)).result(WAIT_SECONDS).nbytes == 10


def test_failed_load_gives_its_room_back() -> None:
    cache = cache_of(10)

    def fail(room: Room) -> Weights:
        with room(10):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cache.get("a", fail)
    assert cache.used_bytes() == 0


def test_twenty_networks_take_turns_in_a_cache_of_five_and_none_starves() -> None:
    cache = ModelCache[Weights](50, shortest_stay_seconds=0.01)
    rounds = 5
    done = dict.fromkeys(map(str, range(20)), 0)

    def use(key: str) -> None:
        for _ in range(rounds):
            assert cache.get(key, weights(10)).nbytes == 10
            assert cache.used_bytes() <= 50 + 10  # the one that comes may find another still in use
            done[key] += 1

    threads = [threading.Thread(target=use, args=(key,)) for key in done]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(done.values()) == {rounds}
    assert len(cache.keys()) <= 5
