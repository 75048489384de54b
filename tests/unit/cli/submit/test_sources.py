"""What the arguments of ``recoq submit`` mean."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cli.errors import CommandError
from cli.submit.names.sources import check_arguments, check_drawings, find_images
from cli.submit.names.walk import Skipped, Walk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images, other files, and a folder of a folder."""
    for name in ("a.jpg", "b.PNG", "notes.md", ".hidden.jpg", "in/c.webp", "in/deep/d.tiff", "in/.thumbs/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*arguments: str, recursive: bool = False) -> list[str]:
    return sorted(find_images(arguments, recursive=recursive))


def test_folder_gives_the_files_that_are_called_like_images(folder: Path) -> None:
    assert found(str(folder)) == [str(folder / "a.jpg"), str(folder / "b.PNG")]
    assert found(".") == ["./a.jpg", "./b.PNG"]


def test_folders_of_folders_are_taken_when_asked(folder: Path) -> None:
    assert found("in", recursive=True) == ["in/c.webp", "in/deep/d.tiff"]


def test_links_to_folders_are_not_followed_as_they_may_go_round(folder: Path) -> None:
    (folder / "in" / "round").symlink_to(folder)
    assert found("in", recursive=True) == ["in/c.webp", "in/deep/d.tiff"]


def test_file_is_taken_whatever_it_is_called(folder: Path) -> None:
    assert found("notes.md") == ["notes.md"]


def test_pattern_gives_what_matches_it(folder: Path) -> None:
    assert found("*.jpg") == ["a.jpg"]
    assert found("**/*.[wt]*") == ["in/c.webp", "in/deep/d.tiff"]
    assert found("i?", recursive=True) == ["in/c.webp", "in/deep/d.tiff"]


def test_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[1].jpg").touch()
    assert found("[1].jpg") == ["[1].jpg"]


def test_text_file_and_standard_input_give_a_path_or_url_a_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "list.txt").write_text("a.jpg\n\n  https://example.com/x.jpg \n")
    (folder / "names").write_text("b.PNG\nmissing.jpg")
    with (folder / "names").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        names = list(find_images(["list.txt", "-", "http://example.com/y"], recursive=False))
    assert names == [
        "a.jpg",
        "https://example.com/x.jpg",
        "b.PNG",
        "missing.jpg",
        "http://example.com/y",
    ]


def test_name_that_is_no_text_can_be_opened(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\xff.jpg\n")
    Path(os.fsdecode(b"\xff.jpg")).write_bytes(b"an image")
    [name] = found("list.txt")
    assert Path(name).read_bytes() == b"an image"


def test_argument_that_means_no_image_is_an_error_at_once(folder: Path) -> None:
    (folder / "list.txt").write_text("\n \n")
    (folder / "empty").mkdir()
    check_arguments(["a.jpg", "in", "-", "https://example.com/x.jpg", "*.jpg"], recursive=False)
    check_arguments(["i?"], recursive=True)
    for argument, sentence in (
        ("c.jpg", "There is no file or folder c.jpg."),
        ("*.none", "No images matched '*.none'."),
        ("list.txt", "No images matched 'list.txt'."),
        ("empty", "No images matched 'empty'."),
        ("i?", "No images matched 'i?'. Skipped: 1 a folder, which --recursive looks into."),
    ):
        with pytest.raises(CommandError) as caught:
            check_arguments(["a.jpg", argument], recursive=False)
        assert str(caught.value) == sentence


def test_what_is_left_out_is_counted_by_reason(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "links").mkdir()
    walk = Walk()
    assert sorted(find_images(["."], recursive=False, walk=walk)) == ["./a.jpg", "./b.PNG"]
    assert walk.skipped == {Skipped.HIDDEN: 1, Skipped.OTHER_NAME: 1, Skipped.FOLDER: 2, Skipped.SPECIAL: 1}
    assert (walk.found, walk.looked_at > 7) == (2, True)


@pytest.mark.parametrize("argument", ["in", "in/**/*.webp"])
def test_folder_that_cannot_be_read_is_counted_and_the_others_are_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    whole = os.scandir

    def refusing(path: str) -> Any:
        if path == "in/deep":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return whole(path)

    monkeypatch.setattr("os.scandir", refusing)  # the tests may run as root, who may read everything
    walk = Walk()
    assert list(find_images([argument], recursive=True, walk=walk)) == ["in/c.webp"]
    assert walk.skipped[Skipped.UNREADABLE] == 1


def test_drawings_are_not_written_where_images_are_taken_from(folder: Path) -> None:
    check_drawings(Path("drawn"), ["in", "a.jpg", "-"])
    with pytest.raises(CommandError, match="in/drawn is inside in"):
        check_drawings(Path("in/drawn"), ["a.jpg", "in"])
