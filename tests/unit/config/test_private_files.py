"""What a service writes is for its user alone, and what an older release left open in the data folder is closed."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE, S_ISVTX

import pytest

from config.private_files import OTHERS, is_open_to_everyone, keep_private
from tests.files import make_open, open_to_others, rights


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that an older release left open to all users."""
    folder = tmp_path / "data"
    for name in (
        "recoq.db",
        "recoq.db-wal",
        "api-key",
        "redis/appendonlydir/appendonly.aof.1.incr.aof",
        "weights/0123/model.pt2",
        "weights-cache/4567/model.pt2",
        "recoq.db.backup",
        "notes.txt",
        "lost+found/#1",
        ".cache/kernels/1",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    make_open(folder)
    return folder


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach and read; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="recoq-public-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_everything_in_the_data_folder_is_closed(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "redis" / "start.sh").touch()
    (data / "redis" / "start.sh").chmod(0o755)
    keep_private(data)
    assert open_to_others(data) == []
    assert rights(data) == 0o700
    assert rights(data / "recoq.db") == 0o600
    assert rights(data / "redis" / "start.sh") == 0o700
    assert (data / "weights" / "0123" / "model.pt2").read_text() == "private"
    assert not caplog.records


def test_what_is_written_from_then_on_is_private(data: Path) -> None:
    keep_private(data)
    (data / "weights" / "89ab").mkdir()
    (data / "weights" / "89ab" / "model.pt2").touch()
    assert open_to_others(data) == []


def test_data_folder_that_is_not_there_is_not_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep_private(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert os.umask(OTHERS) == OTHERS
    assert not caplog.records


def test_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").touch(mode=0o644)
    keep_private(tmp_path / "data")
    assert rights(tmp_path / "data") == 0o644


def test_links_to_other_places_are_not_followed(data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch(mode=0o644)
    (data / "weights-disk").symlink_to(elsewhere)
    (data / "file").symlink_to(elsewhere / "file")
    (data / "broken").symlink_to(tmp_path / "nothing")
    make_open(elsewhere)
    keep_private(data)
    assert rights(elsewhere) == 0o755
    assert rights(elsewhere / "file") == 0o644
    assert open_to_others(data) == []


def test_data_folder_may_itself_be_a_link(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    keep_private(tmp_path / "link")
    assert open_to_others(data) == []


@pytest.mark.parametrize("shared_by", ["a folder of something else", "all users"])
def test_folder_with_other_things_stays_open_and_recoqs_own_are_closed(
    data: Path, shared_by: str, caplog: pytest.LogCaptureFixture
) -> None:
    if shared_by == "all users":
        data.chmod(0o777 | S_ISVTX)
    else:
        (data / "www").mkdir(mode=0o755)
        (data / "www" / "index.html").touch(mode=0o644)
    before = rights(data)
    keep_private(data)
    assert rights(data) == before
    still_open = {str(path.relative_to(data)).partition("/")[0] for path in open_to_others(data)}
    assert still_open - {"www"} == {".", "notes.txt", "lost+found", ".cache"}
    assert "RECOQ_DATA" in caplog.text


def test_what_cannot_be_closed_is_named_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    change = Path.chmod

    def refuse_weights(path: Path, mode: int) -> None:
        if "weights" in path.parts:
            raise PermissionError(1, "Operation not permitted", str(path))
        change(path, mode)

    monkeypatch.setattr(Path, "chmod", refuse_weights)
    keep_private(data)
    assert {path.relative_to(data).parts[0] for path in open_to_others(data)} == {"weights"}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{data / 'weights'} and 2 more" in record.message
    assert f"chmod -R go-rwx {data / 'weights'}" in record.message


def test_data_folder_of_another_user_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    keep_private(data)
    assert "Permission denied" in caplog.text
    assert "RECOQ_DATA" in caplog.text


def test_root_is_told_that_the_service_belongs_to_another_user(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        os.chown(data, 10001, 10001)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    keep_private(data)
    assert f"ID {data.stat().st_uid}," in caplog.text
    assert open_to_others(data) == []


def test_files_that_vanish_meanwhile_are_no_trouble(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    change = Path.chmod

    def vanish(path: Path, mode: int) -> None:
        if path.name == "recoq.db-wal":
            path.unlink()
        change(path, mode)

    monkeypatch.setattr(Path, "chmod", vanish)
    keep_private(data)
    assert not (data / "recoq.db-wal").exists()
    assert not caplog.records


def test_file_is_open_to_everyone_only_where_the_way_to_it_is(public_folder: Path) -> None:
    file = public_folder / "folder" / "file"
    file.parent.mkdir()
    file.parent.chmod(0o755)
    file.touch()
    file.chmod(0o644)
    assert is_open_to_everyone(file)
    file.chmod(0o640)
    assert not is_open_to_everyone(file)
    file.chmod(0o644)
    file.parent.chmod(0o750)
    assert not is_open_to_everyone(file)
    assert S_IMODE(public_folder.stat().st_mode) == 0o755
