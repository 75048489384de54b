"""What the arguments of ``recoq submit`` mean."""

import io
import os
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.submit.sources import check_arguments, check_drawings, find_images


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
    monkeypatch.setattr("sys.stdin", io.StringIO("b.PNG\nmissing.jpg"))
    assert list(find_images(["list.txt", "-", "http://example.com/y"], recursive=False)) == [
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


def test_argument_that_means_nothing_is_told_at_once(folder: Path) -> None:
    check_arguments(["a.jpg", "in", "-", "https://example.com/x.jpg", "*.none"])
    with pytest.raises(CommandError, match=r"There is no file or folder c\.jpg\."):
        check_arguments(["a.jpg", "c.jpg"])


def test_drawings_are_not_written_where_images_are_taken_from(folder: Path) -> None:
    check_drawings(Path("drawn"), ["in", "a.jpg", "-"])
    with pytest.raises(CommandError, match="in/drawn is inside in"):
        check_drawings(Path("in/drawn"), ["a.jpg", "in"])
