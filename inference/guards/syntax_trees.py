"""Parses text as Python, one thread at a time.

``ast.parse`` counts its recursion depth for the whole interpreter. Where a garbage collection switches threads in the
middle, some releases of CPython (3.11.7 is one) raise a ``SystemError`` ("AST constructor recursion depth mismatch",
https://github.com/python/cpython/issues/106905), and a worker that loads two networks at once would refuse a good one.
Used by :mod:`inference.guards.torchscript.parser` and :mod:`inference.guards.exported.expressions`.
"""

import ast
from threading import Lock

_one_at_a_time = Lock()


def parse_module(source: bytes) -> ast.Module:
    """Return the syntax tree of a program; raises what ``ast.parse`` raises."""
    with _one_at_a_time:
        return ast.parse(source)


def parse_expression(text: str) -> ast.expr:
    """Return the syntax tree of an expression; raises what ``ast.parse`` raises."""
    with _one_at_a_time:
        return ast.parse(text, mode="eval").body
