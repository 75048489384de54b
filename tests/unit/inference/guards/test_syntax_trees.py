"""Threads that load networks at once parse their programs one after the other."""

import ast
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.guards.syntax_trees import parse_expression, parse_module

SOURCE = b"def forward(self, x):\n" + b"".join(b"  y%d = ((x + %d) * [1, 2][0])\n" % (i, i) for i in range(200))


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Collect garbage and switch threads as often as the interpreter can, which is when ``ast.parse`` fails."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(1)
    sys.setswitchinterval(1e-6)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


class _Finalised:
    """Garbage whose finaliser runs Python code, so that a collection can switch threads."""

    def __init__(self) -> None:
        self.cycle = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


def _parse(_turn: int) -> tuple[str, str]:
    for _ in range(5):
        _Finalised()
        module = parse_module(SOURCE)
        expression = parse_expression("Add(Symbol('s0', integer=True), Integer(-1))")
    return type(module.body[0]).__name__, ast.unparse(expression)


@pytest.mark.usefixtures("frequent_switches")
def test_programs_are_parsed_in_several_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        parsed = set(pool.map(_parse, range(24)))
    assert parsed == {("FunctionDef", "Add(Symbol('s0', integer=True), Integer(-1))")}
