"""Checks a TorchScript archive before torch opens it: loading one can already run code of it.

TorchScript has no imports, and its unpickler makes no Python objects. But the language can write and map files, and
torch registers native classes that reach further. So the source is judged by its syntax tree, with what the archive
itself defines and the operators that are accepted, and the pickles by what they would make. Used by
:mod:`inference.loader`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from inference.errors import NetworkError
from inference.guards.archives import Archive, open_archive
from inference.guards.records import TORCHSCRIPT
from inference.guards.torchscript.definitions import Definitions, module_of
from inference.guards.torchscript.faults import NotAccepted
from inference.guards.torchscript.parser import parse
from inference.guards.torchscript.pickles import check_pickle, check_positions
from inference.guards.torchscript.rebuilt import Rebuilder
from inference.guards.torchscript.syntax import check_syntax

MAX_CODE_BYTES = 16 * 1024 * 1024  # of all source together, and of each pickle
_PICKLES = ("constants", "data")  # traced_inputs.pkl is read for graphs with shapes alone, which nobody asks for


def check_script(path: Path) -> None:
    """Check the source and the pickles in a TorchScript archive.

    Raises:
        NetworkError: with what in it is not accepted.
    """
    archive = open_archive(path, TORCHSCRIPT)
    definitions = Definitions()
    trees = dict(_trees(archive, definitions))
    for record, tree in trees.items():
        try:
            check_syntax(tree, definitions)
        except NotAccepted as fault:
            raise _refusal(fault, record) from fault
        except RecursionError as error:
            raise NetworkError(f"The TorchScript code in {record[:80]!r} is nested too deeply.") from error
    for folder in _PICKLES:
        name = f"{folder}.pkl"
        check_pickle(archive.read(name, MAX_CODE_BYTES), name, Rebuilder(folder, archive.sizes, definitions))
    for record in archive.sizes:
        if record.endswith(".debug_pkl"):
            check_positions(archive.read(record, MAX_CODE_BYTES), record)


def _trees(archive: Archive, definitions: Definitions) -> Iterator[tuple[str, ast.Module]]:
    """Yield the syntax tree of each source file, after adding what it defines."""
    records = [record for record in archive.sizes if record.startswith("code/") and record.endswith(".py")]
    if sum(archive.sizes[record] for record in records) > MAX_CODE_BYTES:
        raise NetworkError(f"The TorchScript code is larger than {MAX_CODE_BYTES} bytes.")
    for record in records:
        source = archive.read(record, MAX_CODE_BYTES)
        module = module_of(record)
        if module is None:
            if source:  # torch writes an empty one for native classes
                raise NetworkError(f"The TorchScript code in {record[:80]!r} is where torch writes none.")
            continue
        tree = parse(source, record)
        try:
            definitions.add(module, tree)
        except NotAccepted as fault:
            raise _refusal(fault, record) from fault
        yield record, tree


def _refusal(fault: NotAccepted, record: str) -> NetworkError:
    return NetworkError(
        f"The TorchScript code {fault.reason} ({record[:160]}, line {fault.line}), which is not accepted."
    )
