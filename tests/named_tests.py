"""Finds the tests that a page of the documentation names as proof of its promises."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named_tests(page: str) -> list[tuple[str, str]]:
    """Return the file and the function of each test that the page names."""
    return TEST.findall(page)


def missing_tests(page: str) -> list[str]:
    """Return those of them that do not exist."""
    named = named_tests(page)
    existing = {path: set(_functions_in(ROOT / path)) for path, _ in named}
    return [f"{path}::{name}" for path, name in named if name not in existing[path]]


def _functions_in(path: Path) -> Iterator[str]:
    if path.exists():
        yield from (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
