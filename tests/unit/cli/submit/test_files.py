"""What lies where an image is expected is read if it is a file, and never waited for."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.submit import bounded as bounded_calls
from cli.submit.bounded import NoAnswer, bounded
from cli.submit.files import CHUNK_BYTES, MAX_BYTES, NotRead, read_file
from cli.submit.names.feed import Feed
from cli.submit.names.walk import Walk


@pytest.mark.parametrize("size", [0, 10, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_file_is_read_whole(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_file(str(tmp_path / "a.jpg")) == content


def refusal(path: Path | str) -> str:
    start = time.monotonic()
    with pytest.raises(NotRead) as caught:
        read_file(str(path))
    assert time.monotonic() - start < 10
    return str(caught.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("pipe.jpg")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    assert refusal(tmp_path / "pipe.jpg") == "This is a named pipe, not a file."
    assert refusal(tmp_path / "link.jpg") == "This is a named pipe, not a file."
    assert refusal(tmp_path) == "This is a folder, not a file."
    assert refusal("/dev/zero") == "This is a device, not a file."
    assert refusal(tmp_path / "round.jpg") == "The file cannot be read: Too many levels of symbolic links."
    assert refusal(tmp_path / "gone.jpg") == "The file cannot be read: No such file or directory."
    assert refusal("a\0b.jpg") == "The name holds a NUL byte. Lists from `find -print0` need --null."
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.jpg"))
        assert refusal(tmp_path / "socket.jpg") == "The file cannot be read: No such device or address."


def test_file_that_is_too_large_for_an_image_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal(tmp_path / "a.jpg") == f"The file has {MAX_BYTES + 1} bytes, and an image at most {MAX_BYTES}."


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """An event that comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_call_that_never_returns_is_given_up_and_the_next_one_is_made(never: threading.Event) -> None:
    with pytest.raises(NoAnswer):
        bounded(never.wait, seconds=0.05)
    assert bounded(lambda: 3) == 3
    with pytest.raises(ValueError, match="x"):
        bounded(lambda: int("x"))


def test_file_that_does_not_answer_is_an_error_of_that_image(
    never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_calls.bounded, "__defaults__", (0.05,))
    monkeypatch.setattr("os.open", lambda *_: never.wait())
    assert refusal("a.jpg") == "The file did not answer within 60 s."


def test_folder_that_does_not_answer_ends_the_names(never: threading.Event) -> None:
    def names() -> Iterator[str]:
        yield "a.jpg"
        never.wait()

    walk = Walk(place="/mnt/gone")
    feed = Feed(names(), walk, silence_seconds=0.05)
    assert next(feed) == "a.jpg"
    with pytest.raises(CommandError, match=r"/mnt/gone has not answered for 0\.05 s\."):
        next(feed)
    assert list(feed) == []


def test_folder_without_images_is_waited_for_while_it_answers() -> None:
    walk = Walk()

    def names() -> Iterator[str]:
        for _ in range(20):
            time.sleep(0.02)
            walk.look("photos")
        yield "a.jpg"

    assert list(Feed(names(), walk, silence_seconds=0.1)) == ["a.jpg"]


def test_error_of_a_list_reaches_who_takes_names() -> None:
    def names() -> Iterator[str]:
        yield "a.jpg"
        raise CommandError("no list")

    feed = Feed(names(), Walk())
    assert next(feed) == "a.jpg"
    with pytest.raises(CommandError, match="no list"):
        next(feed)
