"""Opens a ``torch.export`` archive only after looking through everything in it that could run as a program.

``torch.export.load`` trusts its file: it unpickles without limits whatever the archive marks as pickled, and
also sample inputs that the safe unpickler refuses; it loads native code that lies in the archive; it hands
symbolic sizes to ``sympify``, which evaluates them; it resolves the graph's targets to any function below
``torch`` or ``operator``; and it writes names of the graph into Python source. Here the archive is held
against what ``torch.export.save`` writes for a plain network, and anything else is refused before torch sees
it. Used by :mod:`inference.loader`.
"""

import ast
import json
import re
import threading
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from inference.errors import NetworkError
from inference.guards.archives import open_archive
from inference.guards.records import EXPORTED_PROGRAM

MODEL_RECORD = "models/model.json"
WEIGHTS_CONFIG = "data/weights/model_weights_config.json"
CONSTANTS_CONFIG = "data/constants/model_constants_config.json"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
MAX_EXPRESSION_CHARACTERS = 2000
MAX_JSON_BYTES = 256 * 1024 * 1024

# No brackets, quotes or line breaks: whatever source this is written into, it calls nothing.
_PLAIN_TEXT = re.compile(r"[\w.,:<>=+\- ]*", re.ASCII)
# An operator's argument, which is written as a literal: an equation, or the message of an assertion.
_ARGUMENT_TEXT = re.compile(r"[ !#-\[\]-~]*")
_SYMBOL_OR_NUMBER = re.compile(r"[A-Za-z_]\w*|[\d.e+\-]+", re.ASCII)
_TENSOR_OPERATOR = re.compile(r"torch\.ops\.(aten|prims|torchvision|quantized_decomposed)\.(\w+)\.(\w+)", re.ASCII)
_FILE_OPERATORS = frozenset({"from_file"})
_OTHER_OPERATORS = re.compile(
    r"_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.sym_(not|int|float|max|min|sum|ite)"
    r"|torch\.ops\.higher_order\.(cond|wrap_with_set_grad_enabled|wrap_with_autocast)"
)
_TREE_TYPES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_EXPRESSION_NODES = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_EXPRESSION_FUNCTIONS = re.compile(
    r"Symbol|Integer|Float|Rational|Add|Mul|Pow|Mod|Abs|Max|Min|floor|ceiling|And|Or|Not|Piecewise|ExprCondPair"
    r"|Eq|Ne|Lt|Le|Gt|Ge|Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan"
    r"|FloorDiv|ModularIndexing|Where|PythonMod|CleanDiv|CeilToInt|FloorToInt|CeilDiv|LShift|RShift|PowByNatural"
    r"|FloatPow|FloatTrueDiv|IntTrueDiv|IsNonOverlappingAndDenseIndicator|TruncToFloat|TruncToInt|RoundToInt"
    r"|RoundDecimal|ToFloat|Identity"
)

# torch keeps the program that it is reading in a global variable.
_reading = threading.Lock()


def load_checked_program(path: Path, device: torch.device) -> nn.Module:
    """Load the exported program in ``path`` onto ``device``.

    Raises:
        NetworkError: when the archive holds more than a plain network, or cannot be read.
    """
    written_by = check_program(path)
    with _reading:
        try:
            program = torch.export.load(path)
        except Exception as error:  # torch reports a version mismatch, and anything else, as it likes
            raise NetworkError(
                f"The file {path.name}, exported by torch {written_by}, cannot be read by torch {torch.__version__}."
            ) from error
        if device.type != "cpu":
            program = move_to_device_pass(program, device)
        # Guards travel as Python source and would be executed; the shapes of inputs are checked without them.
        return program.module(check_guards=False)


def check_program(path: Path) -> str:
    """Check an archive, and return the version of torch that wrote it.

    Raises:
        NetworkError: with what in the archive is not accepted.
    """
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
        if "version" in names:
            raise NetworkError(f"The file {path.name} has the format of torch before 2.8; export it again.")
        archive = open_archive(path, EXPORTED_PROGRAM)
        for config, prefix in ((WEIGHTS_CONFIG, "weight_"), (CONSTANTS_CONFIG, "tensor_")):
            _check_payloads(json.loads(archive.read(config, MAX_JSON_BYTES)), prefix)
        _check_sample_inputs(archive.read(SAMPLE_INPUTS, MAX_JSON_BYTES))
        model = json.loads(archive.read(MODEL_RECORD, MAX_JSON_BYTES))
        _check(model, "")
    except (zipfile.BadZipFile, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"The file {path.name} is not an exported program that can be read.") from error
    return str(model.get("torch_version", "of an unknown version"))


def _check_payloads(config: Mapping[str, Any], prefix: str) -> None:
    for payload in config["config"].values():
        if payload["use_pickle"] or not re.fullmatch(rf"{prefix}\d+", payload["path_name"]):
            raise NetworkError("The exported program holds pickled objects or misplaced weights: not accepted.")
    _check(config, "")


def _check_sample_inputs(record: bytes) -> None:
    if not record:
        return
    try:
        torch.load(BytesIO(record), weights_only=True)
    except Exception as error:  # the safe unpickler, or the archive reader below it
        raise NetworkError(
            "The exported program's sample inputs are not plain tensors; export it with plain tensors."
        ) from error


def _check(value: object, field: str) -> None:
    """Check everything below a value of the program's JSON; ``field`` is the name that it has there."""
    if isinstance(value, dict):
        for key, element in value.items():
            _check_text(key)
            if key not in _INERT_FIELDS:
                _check(element, key)
    elif isinstance(value, list):
        for element in value:
            _check(element, field)
    elif isinstance(value, str):
        _TEXT_CHECKS.get(field, _check_text)(value)


def _check_text(text: str, accepted: re.Pattern[str] = _PLAIN_TEXT) -> None:
    if not accepted.fullmatch(text):
        raise NetworkError(f"The exported program holds the name or text {text[:80]!r}, which is not accepted.")


def _check_operator(target: str) -> None:
    if _OTHER_OPERATORS.fullmatch(target):
        return
    match = _TENSOR_OPERATOR.fullmatch(target)
    if match is not None and match[2] not in _FILE_OPERATORS:
        operator = getattr(getattr(getattr(torch.ops, match[1]), match[2], None), match[3], None)
        if isinstance(operator, torch._ops.OpOverload):
            return
    raise NetworkError(f"The exported program uses the operator {target[:80]!r}, which is not accepted.")


def _check_expression(text: str) -> None:
    """Check that a symbolic size is arithmetic: ``sympify`` evaluates it as Python."""
    try:
        tree = ast.parse(text[: MAX_EXPRESSION_CHARACTERS + 1].strip(), mode="eval")
        is_accepted = len(text) <= MAX_EXPRESSION_CHARACTERS and all(map(_is_arithmetic, ast.walk(tree)))
    except (SyntaxError, RecursionError, MemoryError):
        is_accepted = False
    if not is_accepted:
        raise NetworkError(f"The exported program holds the size {text[:80]!r}, which is not accepted.")


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and bool(_EXPRESSION_FUNCTIONS.fullmatch(node.func.id))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(_SYMBOL_OR_NUMBER.fullmatch(node.value))
    return isinstance(node, _EXPRESSION_NODES)


def _check_tree(text: str) -> None:
    """Check that the structure of arguments or results is made of plain containers with plain keys."""
    _, tree = json.loads(text) if text else (1, None)
    waiting = [tree] if tree is not None else []
    while waiting:
        node = waiting.pop()
        keys = json.loads(node["context"]) if node["context"] is not None else None
        has_plain_keys = keys is None or (isinstance(keys, list) and all(isinstance(key, str | int) for key in keys))
        if node["type"] not in _TREE_TYPES or not has_plain_keys:
            raise NetworkError(
                f"The exported program takes or returns a {str(node['type'])[:80]!r};"
                " accepted are tensors, tuples, lists and dicts."
            )
        for key in keys or ():
            _check_text(str(key))
        waiting.extend(node["children_spec"])


# Texts that torch only keeps (metadata, where stack traces are) or that are never executed here (guards).
_INERT_FIELDS = frozenset({"metadata", "guards_code"})
_TEXT_CHECKS: Mapping[str, Callable[[str], None]] = {
    "target": _check_operator,
    "as_operator": _check_operator,
    "as_string": partial(_check_text, accepted=_ARGUMENT_TEXT),
    "expr_str": _check_expression,
    "in_spec": _check_tree,
    "out_spec": _check_tree,
}
