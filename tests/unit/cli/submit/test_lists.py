"""Lists of images in the forms in which shells, editors and ``find`` write them."""

import os
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.submit.names.lists import MAX_NAME_BYTES, names_in_file, names_on_standard_input


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


def names(path: Path, content: bytes, *, null: bool = False) -> list[str]:
    path.write_bytes(content)
    return list(names_in_file(str(path), null=null))


@pytest.mark.parametrize(
    "content",
    [
        b"a.jpg\nb b.jpg\n",
        b"a.jpg\r\n\r\n  b b.jpg",
        b"\xef\xbb\xbfa.jpg\nb b.jpg",
        "a.jpg\r\nb b.jpg\r\n".encode("utf-16"),
        b"\xfe\xff" + "a.jpg\nb b.jpg".encode("utf-16-be"),
    ],
)
def test_list_is_read_in_the_encoding_that_it_has(path: Path, content: bytes) -> None:
    assert names(path, content) == ["a.jpg", "b b.jpg"]


def test_names_between_nuls_are_taken_as_they_are(path: Path) -> None:
    content = b" a.jpg\0b\n.jpg\0\xff.jpg\0"
    assert names(path, content, null=True) == [" a.jpg", "b\n.jpg", os.fsdecode(b"\xff.jpg")]
    assert names(path, b"x" * MAX_NAME_BYTES + b"\0b", null=True) == ["x" * MAX_NAME_BYTES, "b"]


def test_name_that_is_no_text_is_kept(path: Path) -> None:
    assert os.fsencode(names(path, b"\xff.jpg\n")[0]) == b"\xff.jpg"


@pytest.mark.parametrize("null", [False, True])
def test_file_that_is_no_list_is_a_sentence(path: Path, null: bool) -> None:
    with pytest.raises(CommandError, match="is no list of images: it holds a name of more than 65536 bytes"):
        names(path, b"x" * (MAX_NAME_BYTES + 1) * 2, null=null)
    with pytest.raises(CommandError, match="begins as UTF-16 and is none; save the list as UTF-8"):
        names(path, b"\xff\xfea\x00\x00\xd8")


def test_pipe_that_is_called_like_a_list_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(CommandError, match=r"list\.txt is a named pipe, not a list\. Send it to standard input: -"):
        list(names_in_file(str(path), null=False))


def test_standard_input_is_a_list(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"a\nb\0c\0")
    with path.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert list(names_on_standard_input(null=True)) == ["a\nb", "c"]
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CommandError, match="Standard input is closed"):
        list(names_on_standard_input(null=False))
