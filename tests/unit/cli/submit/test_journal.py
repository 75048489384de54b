"""The file of results: whole lines whatever happens, and one writer."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from cli.errors import CommandError
from cli.submit.journal import Journal, read_results
from cli.submit.outcome import Outcome, SentImage

GOOD = Outcome(SentImage("a.jpg"), "1", outputs=[{"labels": {"predicted": [], "discarded": []}}], version_id=4)
BAD = Outcome(SentImage("b.jpg"), "2", error="This is no image.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def write(path: Path, *outcomes: Outcome, spec: str = "shapes") -> None:
    with Journal(path, spec) as journal:
        for outcome in outcomes:
            journal.write(outcome)


def paths_in(path: Path) -> list[str]:
    return [result["path"] for result in read_results(path)]


def test_each_image_is_one_line_of_json(path: Path) -> None:
    write(path, GOOD, BAD)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "path": "a.jpg",
            "spec": "shapes",
            "task_id": "1",
            "version_id": 4,
            "status": "success",
            "error": None,
            "outputs": [{"labels": {"predicted": [], "discarded": []}}],
        },
        {
            "path": "b.jpg",
            "spec": "shapes",
            "task_id": "2",
            "version_id": None,
            "status": "error",
            "error": "This is no image.",
            "outputs": None,
        },
    ]


def test_next_run_goes_on_where_the_last_ended(path: Path) -> None:
    write(path, GOOD)
    with Journal(path, "shapes") as journal:
        assert [result["path"] for result in journal.written()] == ["a.jpg"]
        journal.write(BAD)
    assert paths_in(path) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("torn", [b'{"path": "b.j', b"x" * 200_000])
def test_torn_last_line_is_cut_off(path: Path, torn: bytes) -> None:
    write(path, GOOD)
    path.write_bytes(path.read_bytes() + torn)
    write(path, BAD)
    assert paths_in(path) == ["a.jpg", "b.jpg"]


def test_file_of_nothing_but_a_torn_line_is_emptied(path: Path) -> None:
    path.write_bytes(b'{"path"')
    write(path)
    assert path.read_bytes() == b""


def test_errors_can_be_dropped_to_be_tried_again(path: Path) -> None:
    write(path, BAD, GOOD)
    with Journal(path, "shapes") as journal:
        journal.drop_errors()
        assert paths_in(path) == ["a.jpg"]
        with pytest.raises(CommandError, match="is being written"):
            Journal(path, "shapes")
        journal.write(Outcome(SentImage("b.jpg"), "3", outputs=[]))
    assert paths_in(path) == ["a.jpg", "b.jpg"]
    assert [each.name for each in path.parent.iterdir()] == ["results.jsonl"]


def test_second_writer_is_refused(path: Path) -> None:
    with Journal(path, "shapes"), pytest.raises(CommandError, match="is being written by another recoq submit"):
        Journal(path, "shapes")


def test_results_of_another_specification_are_not_mixed(path: Path) -> None:
    write(path, GOOD)
    with Journal(path, "animals") as journal, pytest.raises(CommandError, match="holds results of shapes"):
        list(journal.written())


@pytest.mark.parametrize("line", ["Dear diary", "[]", '{"path": "a.jpg"}'])
def test_another_kind_of_file_is_not_written_to(path: Path, line: str) -> None:
    path.write_text(line + "\n")
    with Journal(path, "shapes") as journal, pytest.raises(CommandError, match=r"Line 1 of .* is no result"):
        list(journal.written())
    assert path.read_text() == line + "\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xe0 an image \n of some lines \x00",
        b"path,status\na.jpg,success",
        b'{\n  "path": "x"\n}',
        b'{"path": "a.jpg", "label": 3}\n{"path": "b.jpg", "label": 4}',
        b'{"path": "a.jpg", "label": 3}',
        b"Dear diary",
    ],
)
def test_file_of_something_else_is_refused_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with Journal(path, "shapes") as journal, pytest.raises(CommandError, match=r"Line 1 of .* is no result"):
        list(journal.written())
    assert path.read_bytes() == content


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_full_disk_leaves_whole_lines_and_is_told(path: Path) -> None:
    write(path, GOOD)
    whole = path.read_bytes()
    with (
        Journal(path, "shapes") as journal,
        largest_file(len(whole) + 20),
        pytest.raises(CommandError, match=r"results\.jsonl cannot be written: File too large"),
    ):
        journal.write(BAD)
    assert path.read_bytes() == whole


def test_name_that_is_no_text_is_written_so_that_it_can_be_read(path: Path) -> None:
    write(path, Outcome(SentImage("\udcff.jpg"), error="x"))
    assert orjson.loads(path.read_bytes())["path"] == "\\udcff.jpg"
