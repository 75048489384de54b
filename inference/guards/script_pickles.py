"""Reads the pickles of a TorchScript archive as torch's own unpickler does, and checks what they would make.

That unpickler makes no Python objects, but it believes what it reads: a tensor that is larger than its storage reads
and writes memory that is not its own, and a native class takes any state. Used by :mod:`inference.guards.script`.
"""

import math
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import NetworkError
from inference.guards.operators import PACKED_PARAMETERS
from inference.guards.script_definitions import ROOT, Definitions
from inference.guards.script_types import check_type_text

MAX_ELEMENTS = 2**48  # of a tensor whose strides are zero

_LISTS = frozenset(
    f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "complex", "tensor", "string")
)
_QUANTIZERS = frozenset({"torch per_tensor_affine", "torch per_channel_affine", "torch per_channel_affine_float_qparams"})
_STORAGE_BYTES = {
    f"torch {name}Storage": size
    for size, names in {
        1: "Byte Char Bool QInt8 QUInt8 Float8_e5m2 Float8_e4m3fn Float8_e5m2fnuz Float8_e4m3fnuz",
        2: "Half BFloat16 Short UInt16",
        4: "Float Int QInt32 UInt32 ComplexHalf",
        8: "Double Long UInt64 ComplexFloat",
        16: "ComplexDouble",
    }.items()
    for name in names.split()
}
_DEVICE = re.compile(r"[a-z]+(:[0-9]{1,4})?")


class _NotAccepted(ValueError):
    """Something that torch does not write."""


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    elements: int


@dataclass(frozen=True)
class _Tensor:
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class _Object:
    """An object of a class of the archive, or of native code."""


def check_pickle(content: bytes, folder: str, sizes: Mapping[str, int], definitions: Definitions) -> None:
    """Check a pickle of values.

    Args:
        content: the pickle.
        folder: where the archive has the storages of its tensors.
        sizes: bytes of each record of the archive.
        definitions: the classes that it may make objects of.

    Raises:
        NetworkError: when it would make anything else than torch writes there.
    """
    try:
        _Unpickler(folder, sizes, definitions).run(content)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        reason = str(error) if isinstance(error, _NotAccepted) else "it is not one that torch writes"
        raise NetworkError(f"The TorchScript archive's {folder}.pkl is not accepted: {reason}.") from error


def check_positions(content: bytes, name: str) -> None:
    """Check the pickle in which torch looks up the lines of a fault: it holds texts, numbers, tuples and lists alone.

    Raises:
        NetworkError: when it holds anything else.
    """
    try:
        is_accepted = all(
            opcode.name in _OPCODES_OF_POSITIONS and (opcode.name != "GLOBAL" or argument in _LISTS)
            for opcode, argument, _ in pickletools.genops(content)
        )
    except ValueError:
        is_accepted = False
    if not is_accepted:
        raise NetworkError(f"The TorchScript archive's part {name[:80]!r} holds more than positions.")


class _Unpickler:
    """Torch's unpickler, of which the values are only what is needed to check them."""

    def __init__(self, folder: str, sizes: Mapping[str, int], definitions: Definitions) -> None:
        self._folder = folder
        self._sizes = sizes
        self._definitions = definitions
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._functions: Mapping[str, Callable[..., Any]] = {
            "torch._utils _rebuild_tensor_v2": self._tensor,
            "torch._utils _rebuild_qtensor": self._quantized_tensor,
            "torch.jit._pickle restore_type_tag": self._tagged,
            "collections OrderedDict": _nothing,
            "torch device": _device,
            "builtins complex": _complex,
            **dict.fromkeys(_LISTS, _list),
        }

    def run(self, content: bytes) -> None:
        for opcode, argument, position in pickletools.genops(content):
            name = opcode.name
            if name in _VALUES:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                count = _TUPLES[name]
                self._push(tuple(self._pop() for _ in range(count))[::-1])
            elif name in _IGNORED:
                pass
            else:
                self._run_other(name, argument, content, position or 0)
        if len(self._stack) != 1 or self._marks:
            raise _NotAccepted("it is not one value")

    def _run_other(self, name: str, argument: Any, content: bytes, position: int) -> None:
        match name:
            case "MARK":
                self._marks.append(len(self._stack))
            case "BINPUT" | "LONG_BINPUT":
                if argument > len(content):
                    raise _NotAccepted("it remembers too much")
                self._memo[argument] = self._top()
            case "BINGET" | "LONG_BINGET":
                self._push(self._memo[argument])
            case "TUPLE":
                self._push(tuple(self._pop_to_mark()))
            case "EMPTY_LIST":
                self._push([])
            case "EMPTY_DICT":
                self._push({})
            case _:
                self._run_objects(name, argument, content, position)

    def _run_objects(self, name: str, argument: Any, content: bytes, position: int) -> None:
        match name:
            case "APPENDS" | "APPEND":
                items = self._pop_to_mark() if name == "APPENDS" else [self._pop()]
                _expect(self._top(), list).extend(items)
            case "SETITEMS" | "SETITEM":
                items = self._pop_to_mark() if name == "SETITEMS" else [self._pop(), self._pop()]
                _expect(self._top(), dict)
                if len(items) % 2:
                    raise _NotAccepted("it has a key without a value")
            case "GLOBAL":
                self._push(self._global(argument, content, position))
            case "BINPERSID":
                self._push(self._storage(*_expect(self._pop(), tuple)))
            case "NEWOBJ":
                self._pop_empty_tuple()
                self._make_object(_expect(self._pop(), _Global).name)
            case "BUILD":
                self._pop()
                _expect(self._top(), _Object)
            case "REDUCE":
                self._reduce()
            case _:
                raise _NotAccepted(f"it holds the instruction {name}")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _floor(self) -> int:
        return self._marks[-1] if self._marks else 0

    def _pop(self) -> Any:
        if len(self._stack) <= self._floor():
            raise _NotAccepted("it takes a value that is not there")
        return self._stack.pop()

    def _top(self) -> Any:
        if len(self._stack) <= self._floor():
            raise _NotAccepted("it takes a value that is not there")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _pop_empty_tuple(self) -> None:
        if _expect(self._pop(), tuple):
            raise _NotAccepted("it passes values to a class")

    def _global(self, name: str, content: bytes, position: int) -> _Global:
        # pickletools resolves escapes in names, which torch does not know.
        if not content.startswith(b"c%b\n" % name.encode().replace(b" ", b"\n", 1), position):
            raise _NotAccepted(f"it names {name[:80]!r}")
        known = name in self._functions or name in _STORAGE_BYTES or name in _QUANTIZERS
        if not known and name.replace(" ", ".") not in self._definitions.classes.keys() | PACKED_PARAMETERS:
            raise _NotAccepted(f"it names {name[:80]!r}")
        return _Global(name)

    def _make_object(self, name: str) -> None:
        if not name.startswith(ROOT):
            raise _NotAccepted(f"it makes an object of {name[:80]!r}")
        self._push(_Object())

    def _reduce(self) -> None:
        arguments = self._pop()
        name = _expect(self._pop(), _Global).name
        function = self._functions.get(name)
        if function is not None:
            self._push(function(*_expect(arguments, tuple)))
        elif name.startswith(ROOT) and name.replace(" ", ".") not in PACKED_PARAMETERS:
            self._push(_Object())  # a member of an enum, or a named tuple
        else:
            raise _NotAccepted(f"it calls {name[:80]!r}")

    def _storage(self, kind: str, dtype: _Global, key: str, device: str, elements: int) -> _Storage:
        _device(device)
        needed = _STORAGE_BYTES[_expect(dtype, _Global).name] * _expect(elements, int)
        record = f"{self._folder}/{_expect(key, str)}"
        if kind != "storage" or elements < 0 or (elements > 0 and self._sizes.get(record, 0) < needed):
            raise _NotAccepted(f"the storage {record[:80]!r} has not the {needed} bytes that a tensor needs")
        return _Storage(elements)

    def _tensor(
        self, storage: _Storage, offset: int, sizes: Any, strides: Any, _requires_grad: bool, _hooks: Any, *_: Any
    ) -> _Tensor:
        lengths = [_expect(size, int) for size in _expect(sizes, tuple)]
        steps = [_expect(stride, int) for stride in _expect(strides, tuple)]
        if len(lengths) != len(steps) or min([*lengths, *steps, _expect(offset, int)]) < 0:
            raise _NotAccepted("a tensor has sizes and strides that do not fit")
        last = offset + sum((size - 1) * stride for size, stride in zip(lengths, steps, strict=True))
        elements = math.prod(lengths)
        if elements and (last >= _expect(storage, _Storage).elements or elements > MAX_ELEMENTS):
            raise _NotAccepted(f"a tensor of {elements} elements is larger than its storage")
        return _Tensor(tuple(lengths))

    def _quantized_tensor(
        self, storage: _Storage, offset: int, sizes: Any, strides: Any, quantizer: Any, *rest: Any
    ) -> _Tensor:
        tensor = self._tensor(storage, offset, sizes, strides, *rest)
        match quantizer:
            case (_Global("torch per_tensor_affine"), float(), int()):
                return tensor
            case (_Global(), _Tensor(scales), _Tensor(zero_points), int(axis)) if 0 <= axis < len(tensor.sizes):
                if scales == zero_points == (tensor.sizes[axis],):
                    return tensor
        raise _NotAccepted("a quantized tensor has not one scale and zero point for each channel")

    def _tagged(self, value: Any, kind: str) -> Any:
        check_type_text(_expect(kind, str), self._definitions)
        return value


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise _NotAccepted(f"it has a {type(value).__name__.strip('_')} in place of a {kind.__name__.strip('_')}")
    return value


def _nothing() -> dict[Any, Any]:
    return {}


def _list(items: Any) -> Any:
    return _expect(items, list)


def _device(name: Any) -> None:
    if not _DEVICE.fullmatch(_expect(name, str)):
        raise _NotAccepted(f"it names the device {name[:80]!r}")


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(_expect(real, float), _expect(imaginary, float))


_VALUES = frozenset({"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset({"PROTO", "STOP"})
_OPCODES_OF_POSITIONS = frozenset(
    {
        *(*_VALUES, *_CONSTANTS, *_TUPLES, *_IGNORED),
        *("MARK", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "TUPLE", "EMPTY_LIST", "APPENDS"),
        *("GLOBAL", "REDUCE"),
    }
)
