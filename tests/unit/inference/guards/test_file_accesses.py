"""A load that passes opens no file but its own, as the kernel sees it: a hook in Python does not see what C++ opens."""

import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.errors import NetworkError
from inference.guards.exported.schema import check_program_json
from inference.programs.calls import make_call_plain
from tests.unit.inference.guards.programs import INPUTS, MODEL, examples_of, tampered, with_text, write_oddly_named

MUTANTS, MOST_LOADED = 400, 12
PIECES = [
    *("open('/etc/passwd')", "__import__('os').system('true')", "/etc/passwd", "torch.ops.aten.from_file.default"),
    *("metadata", "expr_str", "target", "x", "", 0, 1, -1, 2**40, True, None, 0.5, [], {}),
]

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


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "model.pt2"
    write_oddly_named(path)
    return path


def calls_between_marks(log: str) -> list[tuple[str, str]]:
    calls = [match.groups() for match in map(_CALL.match, log.splitlines()) if match]
    marks = [number for number, (_, rest) in enumerate(calls) if '"/mark/' in rest]
    assert len(marks) == 2, "the process did not get from one mark to the other"
    return [(call, rest) for call, rest in calls[marks[0] + 1 : marks[1]]]


def assert_nothing_else_is_opened(strace: str, plain: Path, others: Sequence[Path], log: Path) -> None:
    """Load the plain program, and between two marks all of them, and look at what the kernel was asked for."""
    command = [strace, "-f", "-e", "trace=file", "-o", log, sys.executable, "-m"]
    subprocess.run(
        [*command, "tests.unit.inference.guards.watched_loads", plain, plain, *others], check=True, timeout=240
    )
    own = [str(plain), *map(str, others)]
    code = [sys.prefix, sys.base_prefix, str(Path(torch.__file__).parent), str(Path.cwd())]
    opened = calls_between_marks(log.read_text())
    assert {path for _, rest in opened for path in own if f'"{path}"' in rest} == set(own)
    for call, rest in opened:
        path = next(iter(_PATH.findall(rest)), "")
        assert call not in _CHANGES, (call, rest)
        if call.startswith("open"):
            assert not _WRITES.search(rest) or path == "/dev/null", (call, rest)
            assert path in own or path.startswith((*code, "/proc/", "/sys/", "/dev/null")), (call, rest)


def test_programs_that_pass_open_no_file_but_their_own(strace: str, plain: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    hostile = [
        tampered(plain, tmp_path / f"hostile{number}", MODEL, lambda model, text=text: with_kept_texts(model, text))
        for number, text in enumerate([str(secret), f"open({str(secret)!r})", f"torch.load({str(secret)!r})"])
    ]
    assert_nothing_else_is_opened(strace, plain, hostile, tmp_path / "log")


def test_mutants_that_pass_open_no_file_but_their_own(strace: str, plain: Path, tmp_path: Path) -> None:
    dice = random.Random(23)
    original: list[Any] = []
    tampered(plain, tmp_path / "read", MODEL, lambda model: original.append(model) or model)
    mutants = [mutated(original[0], dice) for _ in range(MUTANTS)]
    passing = [mutant for mutant in mutants if is_accepted(mutant)]
    assert MUTANTS / 20 < len(passing) < MUTANTS
    loaded = [
        tampered(plain, tmp_path / f"mutant{number}", MODEL, lambda _, mutant=mutant: mutant)
        for number, mutant in enumerate(dice.sample(passing, MOST_LOADED))
    ]
    assert_nothing_else_is_opened(strace, plain, loaded, tmp_path / "log")


def mutated(model: Any, dice: random.Random) -> Any:
    """Return a copy of a program's JSON in which something stands in the place of something else, or is missing."""
    model = json.loads(json.dumps(model))
    places = list(places_in(model))
    for _ in range(dice.choice((1, 1, 2))):
        container, key = dice.choice(places)
        with contextlib.suppress(KeyError, IndexError):  # an earlier step has removed it
            match dice.randrange(4):
                case 0:
                    container[key] = dice.choice(PIECES)
                case 1 if isinstance(container, dict):
                    container[str(dice.choice(PIECES))] = container.pop(key)
                case 2:
                    del container[key]
                case _:
                    other, other_key = dice.choice(places)
                    container[key] = json.loads(json.dumps(other[other_key]))
    return model


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a JSON value with each of its keys or indices."""
    for key, element in list(value.items()) if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(element, dict | list):
            yield from places_in(element)


def is_accepted(model: Any) -> bool:
    model = json.loads(json.dumps(model))
    try:
        make_call_plain(model, INPUTS)
        check_program_json(model)
    except (NetworkError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def with_kept_texts(model: object, text: str) -> object:
    """Put a text wherever torch only keeps it."""
    for place, is_key in examples_of(model):
        if {"stack_trace", "nn_module_stack", "torch_fn", "guards_code", "opset_version"} & set(place) and not is_key:
            model = with_text(model, place, is_key, text)
    return model
