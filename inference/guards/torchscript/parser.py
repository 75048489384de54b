"""Parses TorchScript source, of which torch's parser and Python's read the same program.

The language has Python's grammar, but torch has a lexer of its own: it reads escapes, comments, numbers and letters
beyond ASCII in other ways. So only the tokens are accepted that torch writes itself, which leave nothing to read in
two ways. Used by :mod:`inference.guards.torchscript.check`.
"""

import ast
import re

from inference.errors import NetworkError
from inference.guards.syntax_trees import parse_module

# Comments are refused because torch reads those that begin with "type:". Strings have no prefix, no single quotes and
# no neighbour that they would be joined with.
_STRING = rb"""
    "(?:[ !\#-\[\]-~\x80-\xff]|\\(?:[\\'"abfnrtv]|[0-3][0-7]{2}))*+"
"""
_TOKENS = re.compile(
    rb"""(?:
    \ ++
    | \n(?!\ +\n)
    | %b(?!\s*")
    | [A-Za-z_][A-Za-z0-9_]*+(?!")
    | [0-9]++(?:\.[0-9]*+)?(?:e[+-]?[0-9]++)?j?(?![A-Za-z0-9_."])
    | [()\[\]{},:.=>+-]
    )*+"""
    % _STRING,
    re.VERBOSE,
)
# To torch these are names like any other; Python reads them once they have a letter that no name has here.
_NAMES_BUT_IN_PYTHON = re.compile(
    rb"%b|\b(async|await|except|finally|from|lambda|nonlocal|try|yield)\b" % _STRING, re.VERBOSE
)
_LETTER = "\N{CYRILLIC CAPITAL LETTER ZHE}".encode()


def parse(source: bytes, name: str) -> ast.Module:
    """Return the syntax tree of one record of source.

    Args:
        source: what the record holds.
        name: the record's name, for the sentence about a fault.

    Raises:
        NetworkError: when it holds anything that torch does not write, or is not a program.
    """
    tokens = _TOKENS.match(source)
    end = tokens.end() if tokens else 0
    if end < len(source):
        line = source.count(b"\n", 0, end) + 1
        near = source[end : end + 40].decode("ascii", errors="replace")
        raise NetworkError(
            f"The TorchScript code holds {near!r} ({name[:80]}, line {line}), which torch does not write."
        )
    try:
        return parse_module(_NAMES_BUT_IN_PYTHON.sub(_as_name, source))
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise NetworkError(f"The TorchScript code in {name[:80]!r} cannot be parsed.") from error


def _as_name(match: re.Match[bytes]) -> bytes:
    return match[0] + _LETTER if match[1] else match[0]
