"""Patterns mean what they mean to ``glob``, and hold no list of a folder's names."""

import glob
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.submit.names.patterns import matching
from cli.submit.names.walk import Walk

MANY = 20_000
BYTES_OF_A_NAME = 50


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("x.jpg", "[1].jpg", ".hidden.jpg", "a/y.jpg", "a/b/z.jpg", "a/b/Z.png", "a/.in/w.jpg", "c/y.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.jpg",
        "./*.jpg",
        ".*",
        "**",
        "**/*.jpg",
        "**/[yz].jpg",
        "a/**/*.jpg",
        "*/y.jpg",
        "*/b/*",
        "**/b/*.png",
        "**/**/z.jpg",
        "*/../*.jpg",
        "[a]/y.jpg",
        "[[]1].jpg",
        "?/",
        "a//y*",
        "x.jpg/*",
        "nowhere/*.jpg",
        "{root}/a/*/*.jpg",
    ],
)
def test_pattern_means_what_it_means_to_glob(folder: Path, pattern: str) -> None:
    pattern = pattern.format(root=folder) if "root" in pattern else pattern
    expected = glob.glob(pattern, recursive=True)  # noqa: PTH207 - this is what is compared with
    assert {*map(os.path.normpath, matching(pattern, Walk()))} == {*map(os.path.normpath, expected)}


def test_links_to_folders_are_not_followed_as_they_may_go_round(folder: Path) -> None:
    (folder / "a" / "round").symlink_to(folder)
    assert sorted(matching("**/y.jpg", Walk())) == ["a/y.jpg", "c/y.jpg"]


def test_names_come_one_by_one(tmp_path: Path) -> None:
    for number in range(MANY):
        (tmp_path / f"{number}.jpg").touch()
    tracemalloc.start()
    try:
        names: Iterator[str] = matching(f"{tmp_path}/*.jpg", Walk())
        assert sum(1 for _ in names) == MANY
        assert tracemalloc.get_traced_memory()[1] < MANY * BYTES_OF_A_NAME
    finally:
        tracemalloc.stop()
