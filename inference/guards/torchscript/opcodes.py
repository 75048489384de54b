"""Reads the instructions of a pickle, as far as torch writes them for TorchScript.

The standard library's reader takes longer than torch takes to load the archive, and resolves escapes in names, which
torch does not know. Used by :mod:`inference.guards.torchscript.pickles`.
"""

import pickle
from collections.abc import Iterator

_LENGTH_BYTES = {pickle.BINUNICODE[0]: 4, pickle.LONG1[0]: 1}  # of the length that stands before the argument
_GLOBAL = pickle.GLOBAL[0]
_STOP = pickle.STOP[0]
ARGUMENT_BYTES = {
    **dict.fromkeys(b"".join((pickle.PROTO, pickle.BINPUT, pickle.BINGET, pickle.BININT1)), 1),
    **dict.fromkeys(b"".join((pickle.LONG_BINPUT, pickle.LONG_BINGET, pickle.BININT)), 4),
    pickle.BININT2[0]: 2,
    pickle.BINFLOAT[0]: 8,
    **dict.fromkeys(b"".join((pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.STOP)), 0),
    **dict.fromkeys(b"".join((pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_TUPLE)), 0),
    **dict.fromkeys(b"".join((pickle.EMPTY_LIST, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEMS)), 0),
    **dict.fromkeys(b"".join((pickle.NEWOBJ, pickle.BUILD, pickle.REDUCE, pickle.BINPERSID)), 0),
}


class NotWritten(ValueError):
    """Something in a pickle that torch does not write; the message ends a sentence."""


def instructions(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the code of each instruction and the bytes of its argument.

    Raises:
        NotWritten: at an instruction that torch does not write, or when the content ends before the pickle does.
    """
    position = 0
    while position < len(content):
        code = content[position]
        start, end = _argument_of(code, content, position + 1)
        if end > len(content):
            break
        yield code, content[start:end]
        if code == _STOP:
            return
        position = end
    raise NotWritten("it is cut off")


def _argument_of(code: int, content: bytes, start: int) -> tuple[int, int]:
    size = ARGUMENT_BYTES.get(code)
    if size is not None:
        return start, start + size
    if code == _GLOBAL:
        module_end = content.find(b"\n", start)
        name_end = content.find(b"\n", module_end + 1)
        return start, (name_end + 1 if module_end >= 0 and name_end >= 0 else len(content) + 1)
    if code in _LENGTH_BYTES:
        begin = start + _LENGTH_BYTES[code]
        return begin, begin + int.from_bytes(content[start:begin], "little")
    raise NotWritten(f"it holds the instruction {code}")
