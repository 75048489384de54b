"""Looks through a TorchScript archive for the few things in that language that reach beyond tensors.

TorchScript has no imports and its archives are read by an unpickler of its own that makes no Python objects,
but it can write and map files, and construct the classes that torch registers for distributed work. Loading
an archive can already run code of it, so the source in it is looked at before. Used by
:mod:`inference.loader`.
"""

import re
from pathlib import Path

from inference.errors import NetworkError
from inference.guards.archives import open_archive
from inference.guards.records import TORCHSCRIPT

MAX_CODE_BYTES = 16 * 1024 * 1024

_CODE_RECORD = re.compile(r"code/.*\.py")
_REFUSED = re.compile(
    r"\b(?:save|from_file)\b"  # refused as any name: the language has more than one way to reach them
    r"|\bgetattr\s*\(\s*(?:torch|ops)\b"
    r"|\bops[\s\\]*\.[\s\\]*(?!(?:aten|prim|torchvision|quantized)\b)\w+"
    r"|\bclasses[\s\\]*\.[\s\\]*(?!quantized\b)\w+"
)


def check_script(path: Path) -> None:
    """Check the source in a TorchScript archive.

    Raises:
        NetworkError: when the archive cannot be read, or its code names an operator or class that is not
            accepted.
    """
    archive = open_archive(path, TORCHSCRIPT)
    try:
        sources = [
            archive.read(name, MAX_CODE_BYTES).decode() for name in archive.sizes if _CODE_RECORD.fullmatch(name)
        ]
    except (RuntimeError, ValueError) as error:
        raise NetworkError(f"The file {path.name} is not a TorchScript archive.") from error
    for source in sources:
        if match := _REFUSED.search(source):
            raise NetworkError(f"The TorchScript code uses {match[0]!r}, which is not accepted.")
