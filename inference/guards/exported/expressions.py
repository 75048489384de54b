"""Judges symbolic sizes, such as ``Add(Symbol('s0', integer=True), Integer(-1))``.

torch gives them to sympy, which evaluates them as Python. So a size is accepted only if it is what torch writes, a tree
of known functions over symbols and numbers. Used by :mod:`inference.guards.exported.fields`.
"""

import ast
import re
from functools import lru_cache

from inference.errors import NetworkError
from inference.guards.syntax_trees import parse_expression

MAX_EXPRESSION_CHARACTERS = 10_000
MAX_PRECISION_BITS = 1024
MAX_EXPONENT = 64
MAX_REMEMBERED_EXPRESSIONS = 4096

# sympy rewrites the text before Python parses it (it drops line breaks, for example), but nothing made of these.
_CHARACTERS = re.compile(r"[A-Za-z0-9_.,()=' +-]*")
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLOAT = re.compile(r"-?[0-9.]+(?:e[+-]?[0-9]+)?")
_FUNCTIONS = re.compile(
    r"Add|Mul|Pow|Mod|Abs|Max|Min|And|Or|Not|Xor|ITE|Piecewise|ExprCondPair|floor|ceiling|Eq|Ne|Lt|Le|Gt|Ge"
    r"|Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan"
    r"|FloorDiv|ModularIndexing|Where|PythonMod|CleanDiv|CeilToInt|FloorToInt|CeilDiv|LShift|RShift|PowByNatural"
    r"|FloatPow|FloatTrueDiv|IntTrueDiv|IsNonOverlappingAndDenseIndicator|TruncToFloat|TruncToInt|RoundToInt"
    r"|RoundDecimal|ToFloat|Identity|OpaqueUnaryFn_sqrt"
)
_POWERS = frozenset({"Pow", "PowByNatural", "LShift"})
_NAMES = frozenset({"true", "false"})


@lru_cache(MAX_REMEMBERED_EXPRESSIONS)
def is_expression(text: str) -> bool:
    """Tell whether the text is the arithmetic of a size, and nothing else."""
    if len(text) > MAX_EXPRESSION_CHARACTERS or not _CHARACTERS.fullmatch(text):
        return False
    try:
        return _is_term(parse_expression(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def check_expression(text: str) -> None:
    """Check the text of a symbolic size.

    Raises:
        NetworkError: when it could be more than arithmetic.
    """
    if not is_expression(text):
        raise NetworkError(f"The exported program holds the size {text[:80]!r}, which is not accepted.")


def _is_term(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name):
            return name in _NAMES
        case ast.Call(func=ast.Name(id="Symbol" | "Float" | "Integer" | "Rational")):
            return _is_literal(node)
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]) if _FUNCTIONS.fullmatch(function):
            return _is_small_power(function, arguments) and all(map(_is_term, arguments))
    return False


def _is_literal(node: ast.Call) -> bool:
    """Tell whether a call makes a symbol, or a number, of a constant."""
    match node:
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=assumptions):
            return bool(_SYMBOL.fullmatch(name)) and all(map(_is_option, assumptions))
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(number))], keywords=options):
            return bool(_FLOAT.fullmatch(number)) and all(map(_is_option, options))
        case ast.Call(func=ast.Name(id="Integer" | "Rational"), args=numbers, keywords=[]):
            return all(_integer(number) is not None for number in numbers)
    return False


def _is_option(keyword: ast.keyword) -> bool:
    """Tell whether a keyword states something of a symbol (``positive=True``) or the precision of a number."""
    match keyword:
        case ast.keyword(arg=str(), value=ast.Constant(value=bool())):
            return True
        case ast.keyword(arg="precision", value=ast.Constant(value=int(bits))):
            return bits <= MAX_PRECISION_BITS
    return False


def _integer(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))) if not isinstance(number, bool):
            return -number
    return None


def _is_small_power(function: str, arguments: list[ast.expr]) -> bool:
    """Tell whether sympy can calculate it: a power of numbers is a number at once, of any length."""
    if function not in _POWERS:
        return True
    match arguments:
        case [_, ast.Call(func=ast.Name(id="Integer"), args=[exponent])]:
            return abs(_integer(exponent) or 0) <= MAX_EXPONENT
    return any(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in ast.walk(arguments[-1]))
