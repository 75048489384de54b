"""Loads and runs programs between two marks, so that what it opens can be read from a trace of its system calls.

Run by :mod:`tests.unit.inference.guards.test_file_accesses`. The first program is loaded before the marks: it imports
what any load imports.
"""

import contextlib
import os
import sys
from pathlib import Path

import torch

from inference.errors import NetworkError
from inference.guards.exported.program import load_checked_program
from tests.unit.inference.guards.programs import INPUTS, tensors


def load_and_run(path: Path) -> None:
    with contextlib.suppress(NetworkError, RuntimeError):
        load_checked_program(path, INPUTS, torch.device("cpu"))(*tensors())


def mark(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.stat(f"/mark/{name}")  # noqa: PTH116


if __name__ == "__main__":
    first, *others = map(Path, sys.argv[1:])
    load_and_run(first)
    mark("begin")
    for path in others:
        load_and_run(path)
    mark("end")
