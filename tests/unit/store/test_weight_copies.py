"""Copies of remote weights stay within their budget, and what killed downloads left goes."""

import os
import time
from pathlib import Path

from store.records import StoredFile
from store.weight_copies import IN_USE_SECONDS, UNFINISHED_SECONDS, WeightCopies

FILE = StoredFile("a", 100, "not looked at here")


def fetched(copies: WeightCopies, key: str) -> Path:
    return copies.get(key, [FILE], lambda folder: (folder / "a").write_bytes(bytes(100)))


def age(folder: Path, key: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder / key, (then, then))


def keys(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_least_recently_used_copy_leaves_first(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=250)
    for seconds, key in ((5000, "first"), (4000, "second")):
        fetched(copies, key)
        age(tmp_path, key, seconds)
    fetched(copies, "first")  # used again: the second one is now the oldest
    age(tmp_path, "first", 3000)
    fetched(copies, "third")
    assert keys(tmp_path) == {"first", "third"}


def test_a_copy_that_may_be_just_being_loaded_stays(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=150)
    fetched(copies, "young")
    fetched(copies, "new")
    assert keys(tmp_path) == {"young", "new"}
    age(tmp_path, "young", IN_USE_SECONDS + 1)
    age(tmp_path, "new", IN_USE_SECONDS + 1)
    fetched(copies, "newest")
    assert keys(tmp_path) == {"newest"}


def test_a_network_larger_than_the_budget_is_copied_all_the_same(tmp_path: Path) -> None:
    assert (fetched(WeightCopies(tmp_path, budget_bytes=10), "large") / "a").stat().st_size == 100


def test_a_dropped_copy_is_gone_and_dropping_twice_is_no_error(tmp_path: Path) -> None:
    copies = WeightCopies(tmp_path, budget_bytes=1000)
    fetched(copies, "key")
    copies.drop("key")
    copies.drop("key")
    assert keys(tmp_path) == set()


def test_what_a_killed_download_left_is_removed_a_day_later(tmp_path: Path) -> None:
    old, young = tmp_path / ".unfinished-old", tmp_path / ".unfinished-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "half").touch()
    age(tmp_path, old.name, UNFINISHED_SECONDS + 1)
    fetched(WeightCopies(tmp_path, budget_bytes=1000), "key")
    assert keys(tmp_path) == {"key", young.name}
