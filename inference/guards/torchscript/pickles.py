"""Reads the pickles of a TorchScript archive as torch's own unpickler does, and checks what they would make.

Used by :mod:`inference.guards.torchscript.check`.
"""

import pickle
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from inference.errors import NetworkError
from inference.guards.torchscript.faults import NotAccepted
from inference.guards.torchscript.opcodes import ARGUMENT_BYTES, NotWritten, instructions
from inference.guards.torchscript.rebuilt import Global, Object, Rebuilder, expect

_DECODERS: Mapping[int, Callable[[bytes], Any]] = {
    pickle.BINUNICODE[0]: bytes.decode,
    pickle.BININT[0]: lambda argument: int.from_bytes(argument, "little", signed=True),
    pickle.LONG1[0]: lambda argument: int.from_bytes(argument, "little", signed=True),
    pickle.BININT1[0]: lambda argument: int.from_bytes(argument, "little"),
    pickle.BININT2[0]: lambda argument: int.from_bytes(argument, "little"),
    pickle.BINFLOAT[0]: lambda argument: struct.unpack(">d", argument)[0],
    pickle.NONE[0]: lambda _argument: None,
    pickle.NEWTRUE[0]: lambda _argument: True,
    pickle.NEWFALSE[0]: lambda _argument: False,
    pickle.EMPTY_TUPLE[0]: lambda _argument: (),
    pickle.EMPTY_LIST[0]: lambda _argument: [],
    pickle.EMPTY_DICT[0]: lambda _argument: {},
}
_OBJECTS = frozenset(b"".join((pickle.EMPTY_DICT, pickle.SETITEMS, pickle.NEWOBJ, pickle.BUILD, pickle.BINPERSID)))
_INT_LIST = b"ctorch.jit._pickle\nbuild_intlist\n"
# Those that hold no objects, texts or names: archives have so many of them that Python would be slower than torch.
_FIXED_INSTRUCTIONS = re.compile(
    b"(?:%b)*+"
    % b"|".join(
        re.escape(bytes([code])) + b"." * size
        for code, size in ARGUMENT_BYTES.items()
        if code not in _OBJECTS and code != pickle.STOP[0]
    ),
    re.DOTALL,
)


def check_pickle(content: bytes, name: str, rebuilder: Rebuilder) -> None:
    """Check a pickle of values.

    Args:
        content: the pickle.
        name: what to call it in the sentence about a fault.
        rebuilder: what makes the values.

    Raises:
        NetworkError: when it would make anything else than torch writes there.
    """
    try:
        _Unpickler(content, rebuilder).run()
    except (NotWritten, NotAccepted) as fault:
        raise NetworkError(f"The TorchScript archive's {name} is not accepted: {fault}.") from fault
    except (ValueError, IndexError, KeyError, TypeError, RecursionError) as error:
        raise NetworkError(f"The TorchScript archive's {name} is not a pickle that torch writes.") from error


def check_positions(content: bytes, name: str) -> None:
    """Check the pickle in which torch looks up the lines of a fault: it holds texts, numbers, tuples and lists alone.

    Raises:
        NetworkError: when it holds anything else.
    """
    position = 0
    while fixed := _FIXED_INSTRUCTIONS.match(content, position):
        position = fixed.end()
        if content.startswith(pickle.BINUNICODE, position):
            position += 5 + int.from_bytes(content[position + 1 : position + 5], "little")
        elif content.startswith(_INT_LIST, position):
            position += len(_INT_LIST)
        else:
            break
    if content[position:] != pickle.STOP:
        raise NetworkError(f"The TorchScript archive's part {name[:160]!r} holds more than positions in the code.")


class _Unpickler:
    """Torch's unpickler, of which the values are only what is needed to check them."""

    def __init__(self, content: bytes, rebuilder: Rebuilder) -> None:
        self._content = content
        self._rebuilder = rebuilder
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> None:
        """Run all instructions.

        Raises:
            NotWritten: when torch would not write one of them there.
        """
        for code, argument in instructions(self._content):
            decode = _DECODERS.get(code)
            if decode is not None:
                self._stack.append(decode(argument))
            else:
                _INSTRUCTIONS[code](self, argument)
        if len(self._stack) != 1 or self._marks:
            raise NotWritten("it is not one value")

    def _look_up(self, argument: bytes) -> None:
        self._stack.append(self._rebuilder.look_up(_name_of(argument)))

    def _mark(self, _argument: bytes) -> None:
        self._marks.append(len(self._stack))

    def _put(self, argument: bytes) -> None:
        index = int.from_bytes(argument, "little")
        if index > len(self._content):
            raise NotWritten("it remembers more than it holds")
        self._memo[index] = self._top()

    def _get(self, argument: bytes) -> None:
        self._stack.append(self._memo[int.from_bytes(argument, "little")])

    def _tuple(self, _argument: bytes) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _appends(self, _argument: bytes) -> None:
        items = self._pop_to_mark()
        expect(self._top(), list).extend(items)

    def _set_items(self, _argument: bytes) -> None:
        if len(self._pop_to_mark()) % 2:
            raise NotWritten("it has a key without a value")
        expect(self._top(), dict)

    def _persistent(self, _argument: bytes) -> None:
        self._stack.append(self._rebuilder.storage(*expect(self._pop(), tuple)))

    def _new_object(self, _argument: bytes) -> None:
        if expect(self._pop(), tuple):
            raise NotWritten("it passes values to a class")
        self._stack.append(self._rebuilder.make_object(expect(self._pop(), Global).name))

    def _build(self, _argument: bytes) -> None:
        self._pop()
        expect(self._top(), Object)

    def _reduce(self, _argument: bytes) -> None:
        arguments = self._pop()
        self._stack.append(self._rebuilder.call(expect(self._pop(), Global).name, arguments))

    def _few(self, count: int) -> None:
        self._stack.append(tuple(self._pop() for _ in range(count))[::-1])

    def _top(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise NotWritten("it takes a value that is not there")
        return self._stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items


def _name_of(argument: bytes) -> str:
    module, name, _ = argument.decode("ascii").split("\n")
    return f"{module} {name}"


_INSTRUCTIONS: Mapping[int, Callable[[_Unpickler, bytes], None]] = {
    pickle.GLOBAL[0]: _Unpickler._look_up,
    pickle.MARK[0]: _Unpickler._mark,
    pickle.BINPUT[0]: _Unpickler._put,
    pickle.LONG_BINPUT[0]: _Unpickler._put,
    pickle.BINGET[0]: _Unpickler._get,
    pickle.LONG_BINGET[0]: _Unpickler._get,
    pickle.TUPLE[0]: _Unpickler._tuple,
    pickle.TUPLE1[0]: lambda unpickler, _argument: unpickler._few(1),
    pickle.TUPLE2[0]: lambda unpickler, _argument: unpickler._few(2),
    pickle.TUPLE3[0]: lambda unpickler, _argument: unpickler._few(3),
    pickle.APPENDS[0]: _Unpickler._appends,
    pickle.SETITEMS[0]: _Unpickler._set_items,
    pickle.BINPERSID[0]: _Unpickler._persistent,
    pickle.NEWOBJ[0]: _Unpickler._new_object,
    pickle.BUILD[0]: _Unpickler._build,
    pickle.REDUCE[0]: _Unpickler._reduce,
    pickle.PROTO[0]: lambda _unpickler, _argument: None,
    pickle.STOP[0]: lambda _unpickler, _argument: None,
}
