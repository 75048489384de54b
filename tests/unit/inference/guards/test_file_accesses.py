"""A load that passes opens no file but its own, as the kernel sees it: a hook in Python does not see what C++ opens."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.unit.inference.guards.programs import MODEL, examples_of, tampered, with_text, write_oddly_named

_CALL = re.compile(r"\d+ +(\w+)\((.*)")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
_CHANGES = frozenset(
    {"mkdir", "rename", "renameat2", "unlink", "unlinkat", "symlink", "link", "chmod", "chown", "execve", "truncate"}
)


@pytest.fixture
def strace() -> str:
    path = shutil.which("strace")
    if path is None:
        pytest.skip("strace is missing: run scripts/install-strace as root, or install it yourself")
    return path


def calls_between_marks(log: str) -> list[tuple[str, str]]:
    calls = [match.groups() for match in map(_CALL.match, log.splitlines()) if match]
    marks = [number for number, (_, rest) in enumerate(calls) if '"/mark/' in rest]
    assert len(marks) == 2, "the process did not get from one mark to the other"
    return [(call, rest) for call, rest in calls[marks[0] + 1 : marks[1]]]


def test_programs_that_pass_open_no_file_but_their_own(strace: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    plain = tmp_path / "plain" / "model.pt2"
    plain.parent.mkdir()
    write_oddly_named(plain)
    hostile = [
        tampered(plain, tmp_path / f"hostile{number}", MODEL, lambda model, text=text: with_kept_texts(model, text))
        for number, text in enumerate([str(secret), f"open({str(secret)!r})", f"torch.load({str(secret)!r})"])
    ]
    log = tmp_path / "log"
    command = [strace, "-f", "-e", "trace=file", "-o", log, sys.executable, "-m"]
    subprocess.run(
        [*command, "tests.unit.inference.guards.watched_loads", plain, plain, *hostile], check=True, timeout=240
    )
    own = [str(plain), *map(str, hostile)]
    code = [sys.prefix, sys.base_prefix, str(Path(torch.__file__).parent), str(Path.cwd())]
    opened = calls_between_marks(log.read_text())
    assert {path for _, rest in opened for path in own if f'"{path}"' in rest} == set(own)
    for call, rest in opened:
        path = next(iter(_PATH.findall(rest)), "")
        assert call not in _CHANGES, (call, rest)
        if call.startswith("open"):
            assert not _WRITES.search(rest) or path == "/dev/null", (call, rest)
            assert path in own or path.startswith((*code, "/proc/", "/sys/", "/dev/null")), (call, rest)


def with_kept_texts(model: object, text: str) -> object:
    """Put a text wherever torch only keeps it."""
    for place, is_key in examples_of(model):
        if {"stack_trace", "nn_module_stack", "torch_fn", "guards_code", "opset_version"} & set(place) and not is_key:
            model = with_text(model, place, is_key, text)
    return model
