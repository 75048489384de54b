"""What the pickles of a TorchScript archive may make, each checked against what it is made of.

torch believes the sizes that a pickle gives: a tensor that is larger than its storage would read and write memory that
is not its own. Used by :mod:`inference.guards.torchscript.pickles`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from inference.guards.operators import PACKED_PARAMETERS
from inference.guards.torchscript.definitions import Definitions
from inference.guards.torchscript.opcodes import NotWritten
from inference.guards.torchscript.types import check_type_text

T = TypeVar("T")

MAX_ELEMENTS = 2**48  # of a tensor whose strides are zero

_LISTS = frozenset(
    f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "complex", "tensor", "string")
)
_QUANTIZERS = frozenset(
    f"torch {name}" for name in ("per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams")
)
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


@dataclass(frozen=True)
class Global:
    """A function, class or constant by its name, with a space between the module and the rest."""

    name: str


@dataclass(frozen=True)
class Object:
    """An object of a class that the archive defines, or of packed parameters."""


@dataclass(frozen=True)
class _Storage:
    elements: int


@dataclass(frozen=True)
class _Tensor:
    sizes: tuple[int, ...]


class Rebuilder:
    """Makes what the names in one pickle stand for.

    Args:
        folder: where the archive has the storages of the pickle's tensors.
        sizes: bytes of each record of the archive.
        definitions: the classes of which it may make objects.
    """

    def __init__(self, folder: str, sizes: Mapping[str, int], definitions: Definitions) -> None:
        self._folder = folder
        self._sizes = sizes
        self._definitions = definitions
        self._functions: Mapping[str, Callable[..., Any]] = {
            "torch._utils _rebuild_tensor_v2": self._tensor,
            "torch._utils _rebuild_qtensor": self._quantized_tensor,
            "torch.jit._pickle restore_type_tag": self._tagged,
            "collections OrderedDict": _nothing,
            "torch device": _device,
            "builtins complex": _complex,
            **dict.fromkeys(_LISTS, _list),
        }

    def look_up(self, name: str) -> Global:
        """Return what a name stands for.

        Raises:
            NotWritten: when a pickle may not name it.
        """
        known = name in self._functions or name in _STORAGE_BYTES or name in _QUANTIZERS
        if not known and not self._is_class(name) and not _is_packed(name):
            raise NotWritten(f"it names {name[:80]!r}")
        return Global(name)

    def make_object(self, name: str) -> Object:
        """Return a new object of a class.

        Raises:
            NotWritten: when the name is not that of a class.
        """
        if not self._is_class(name) and not _is_packed(name):
            raise NotWritten(f"it makes an object of {name[:80]!r}")
        return Object()

    def call(self, name: str, arguments: Any) -> Any:
        """Return what a function makes, or a member of an enum, or a named tuple.

        Raises:
            NotWritten: when it cannot be called, or not with that.
            TypeError: when the number of arguments is wrong.
        """
        function = self._functions.get(name)
        if function is not None:
            return function(*expect(arguments, tuple))
        if self._is_class(name):
            return Object()
        raise NotWritten(f"it calls {name[:80]!r}")

    def storage(self, kind: str, dtype: Global, key: str, device: str, elements: int) -> _Storage:
        """Return the storage that a persistent ID stands for.

        Raises:
            NotWritten: when the archive has none of that size.
        """
        _device(device)
        needed = _STORAGE_BYTES[expect(dtype, Global).name] * expect(elements, int)
        record = f"{self._folder}/{expect(key, str)}"
        if kind != "storage" or elements < 0 or (elements > 0 and self._sizes.get(record, 0) < needed):
            raise NotWritten(f"the storage {record[:80]!r} has not the {needed} bytes that a tensor needs")
        return _Storage(elements)

    def _is_class(self, name: str) -> bool:
        return name.replace(" ", ".") in self._definitions.classes

    def _tensor(
        self, storage: Any, offset: Any, sizes: Any, strides: Any, _requires_grad: Any, _hooks: Any, *_: Any
    ) -> _Tensor:
        lengths = [expect(size, int) for size in expect(sizes, tuple)]
        steps = [expect(stride, int) for stride in expect(strides, tuple)]
        if len(lengths) != len(steps) or min([*lengths, *steps, expect(offset, int)]) < 0:
            raise NotWritten("a tensor has sizes and strides that do not fit each other")
        last = offset + sum((size - 1) * stride for size, stride in zip(lengths, steps, strict=True))
        elements = math.prod(lengths)
        if elements and (last >= expect(storage, _Storage).elements or elements > MAX_ELEMENTS):
            raise NotWritten("a tensor is larger than its storage")
        return _Tensor(tuple(lengths))

    def _quantized_tensor(
        self, storage: Any, offset: Any, sizes: Any, strides: Any, quantizer: Any, *rest: Any
    ) -> _Tensor:
        tensor = self._tensor(storage, offset, sizes, strides, *rest)
        match quantizer:
            case (Global("torch per_tensor_affine"), float(), int()):
                return tensor
            case (Global(), _Tensor(scales), _Tensor(zero_points), int(axis)) if 0 <= axis < len(tensor.sizes):
                if scales == zero_points == (tensor.sizes[axis],):
                    return tensor
        raise NotWritten("a quantized tensor has not one scale and zero point for each channel")

    def _tagged(self, value: Any, kind: Any) -> Any:
        check_type_text(expect(kind, str), self._definitions)
        return value


def expect(value: Any, kind: type[T]) -> T:
    """Return a value that is of exactly that type.

    Raises:
        NotWritten: when it is of another.
    """
    if type(value) is not kind:
        raise NotWritten(f"it has a {type(value).__name__.strip('_')} in place of a {kind.__name__.strip('_')}")
    return value


def _is_packed(name: str) -> bool:
    return name.replace(" ", ".") in PACKED_PARAMETERS


def _nothing() -> dict[Any, Any]:
    return {}


def _list(items: Any) -> list[Any]:
    return expect(items, list)


def _device(name: Any) -> None:
    if not _DEVICE.fullmatch(expect(name, str)):
        raise NotWritten(f"it names the device {name[:80]!r}")


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(expect(real, float), expect(imaginary, float))
