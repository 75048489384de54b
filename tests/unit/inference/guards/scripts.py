"""TorchScript archives whose code is changed after torch wrote them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inference.errors import NetworkError
from inference.guards.torchscript.check import check_script
from tests.unit.inference.seeded_networks import rewrite_archive

CODE = "code/__torch__.py"
HEAD = b"""class Net(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
"""
STATE = b"\x80\x02c__torch__\nNet\nq\x00)\x81}(X\x08\x00\x00\x00trainingq\x01\x89ubq\x02."


def write_code(path: Path, members: str, rest: str = "", record: str = CODE) -> None:
    """Write an archive of one module, with these lines in its class and these behind it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Identity()).save(str(path))

    def change(entries: dict[str, bytes]) -> None:
        for name in [name for name in entries if name.startswith("code/")]:
            del entries[name]
        indented = "".join(f"  {line}\n" for line in members.split("\n"))
        entries[record] = HEAD + indented.encode() + rest.encode()
        entries["data.pkl"] = STATE

    rewrite_archive(path, change)


def write_statements(path: Path, *statements: str, rest: str = "") -> None:
    """Write an archive of one module, whose ``forward`` has these statements."""
    body = "".join(f"  {line}\n" for statement in statements for line in statement.split("\n"))
    write_code(path, f"def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n{body}  return x", rest)


def refusal_of(path: Path) -> str | None:
    """Return why an archive is refused, or None."""
    try:
        check_script(path)
    except NetworkError as error:
        return str(error)
    return None


def load(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(str(path)).eval()


def written(module: nn.Module, path: Path, write: Callable[[nn.Module], Any] | None = None) -> Path:
    """Write a module as TorchScript; ``write`` makes it, in place of ``torch.jit.script``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = (write or torch.jit.script)(module)
        script.save(str(path))
    return path
