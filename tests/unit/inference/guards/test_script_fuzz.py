"""What the guard of TorchScript passes is loaded and run by torch without opening a file but its own."""

import json
import random
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from torch import nn

from tests.unit.inference.guards.odd_modules import EveryConstruct
from tests.unit.inference.guards.scripts import refusal_of, write_statements, written
from tests.unit.inference.seeded_networks import rewrite_archive

MUTANTS = 150
LOADER = textwrap.dedent("""
    import contextlib, json, os, sys, warnings
    import torch, torchvision
    import torch.ao.quantization.fx._decomposed

    def load_and_run(path):
        with contextlib.suppress(Exception):
            module = torch.jit.load(path)
            for arguments in ((torch.ones(2, 2), [torch.ones(2)]), (torch.ones(2, 2),)):
                with contextlib.suppress(Exception):
                    module(*arguments)

    def mark(name):
        with contextlib.suppress(FileNotFoundError):
            os.stat(name)

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    paths = json.load(sys.stdin)
    load_and_run(paths[0])
    mark("/fuzz/begins")
    for path in paths:
        load_and_run(path)
    mark("/fuzz/ends")
""")
# Words and pieces that a mutation may put in the place of others.
PIECES = [
    *(b"torch", b"ops", b"save", b"from_file", b"read_file", b"image", b"aten", b"x", b"self", b"getattr", b'"save"'),
    *(
        b"\n    ",
        b"(",
        b")",
        b", ",
        b".",
        b" = ",
        b":",
        b"[0]",
        b'"/fuzz/trace"',
        b"True",
        b"4",
        b"torch.",
        b"ops.image.",
    ),
    *(b'torch.save(x, "/fuzz/trace")', b'x.save("/fuzz/trace")', b'torch.from_file("/fuzz/trace", True, 4)', b"hash"),
    *(b'ops.image.read_file("/fuzz/trace")', b"\\", b"#", b"'", b'"', b"\t", b";", b"__torch__", b"fork", b"torch.add"),
]
TOKEN = re.compile(rb"[A-Za-z_]\w*|\d+|\s+|.", re.DOTALL)


def mutated(source: bytes, dice: random.Random) -> bytes:
    tokens = TOKEN.findall(source)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        at = dice.randrange(len(tokens))
        match dice.randrange(4):
            case 0:
                tokens[at] = dice.choice(PIECES)
            case 1:
                tokens.insert(at, dice.choice(PIECES))
            case 2:
                tokens[at] = dice.choice(tokens)
            case _:
                del tokens[at]
    return b"".join(tokens)


def mutant_code(entries: dict[str, bytes], dice: random.Random) -> dict[str, bytes]:
    record = max((name for name in entries if name.endswith(".py")), key=lambda name: len(entries[name]))
    return {record: mutated(entries[record], dice)}


def files_touched(paths: list[Path], folder: Path) -> list[str]:
    """Return the calls by which a process that loads and runs archives opens, makes or changes other files."""
    trace = folder / "strace"
    command = ["strace", "-f", "-qq", "-s", "400", "-e", "trace=%file,%network", "-o", str(trace)]
    given = json.dumps([str(path) for path in paths])
    subprocess.run(
        [*command, sys.executable, "-c", LOADER], input=given, text=True, check=True, stdout=subprocess.DEVNULL
    )
    calls = trace.read_text().splitlines()
    begin = next(index for index, call in enumerate(calls) if "/fuzz/begins" in call)
    end = next(index for index, call in enumerate(calls) if "/fuzz/ends" in call)
    own = (*(f'"{path}"' for path in paths), "AT_EMPTY_PATH")  # the latter asks about what is open already
    return [call for call in calls[begin + 1 : end] if not any(mark in call for mark in own)]


def test_mutants_that_pass_open_no_other_file(tmp_path: Path) -> None:
    original = written(EveryConstruct(), tmp_path / "original.pt")
    dice = random.Random(22)
    passed = [original]
    for index in range(MUTANTS):
        mutant = tmp_path / f"{index}.pt"
        shutil.copy(original, mutant)
        rewrite_archive(mutant, lambda entries: entries.update(mutant_code(entries, dice)))
        if refusal_of(mutant) is None:
            passed.append(mutant)
    assert MUTANTS / 20 < len(passed) < MUTANTS  # some change a number or a name alone
    assert files_touched(passed, tmp_path) == []


def test_the_watch_sees_a_file_that_torch_opens(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.pt"
    write_statements(hostile, f'torch.save(x, "{tmp_path}/trace")')
    assert "aten::save" in str(refusal_of(hostile))
    plain = written(nn.Identity(), tmp_path / "plain.pt")
    assert any(f'"{tmp_path}/trace"' in call for call in files_touched([plain, hostile], tmp_path))
