"""Should a hostile network get past the guards, the kernel stands in its way: here the guards are switched off.

They run with and without confinement: without, they do their harm, so that their failure with it proves something.
"""

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision  # noqa: F401  # its operators read and write files
from torch import Tensor, nn

from tests.unit.workers.hostile_networks import PREPROCESSING, SIDE, write

SECRET = b"secret of another tenant"

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


class Reading(nn.Module):
    """Shows a file of others in its output."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: Tensor) -> Tensor:
        found = torch.ops.image.read_file(self.path)
        numbers: list[int] = found.to(torch.int64).tolist()
        print(numbers)
        return x.flatten(1) + found.sum()


class Overwriting(nn.Module):
    """Changes a file of others through shared memory, or makes one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: Tensor) -> Tensor:
        # The output depends on it, or the compiler would leave it out.
        return x.flatten(1) + torch.from_file(self.path, shared=True, size=4, dtype=torch.uint8).fill_(65).sum()


class Plain(nn.Module):
    """Takes batches, so that its program has a symbolic size."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def write_program(folder: Path) -> Path:
    """Write an exported program with a symbolic size, and return its file."""
    folder.mkdir()
    shapes = ({0: torch.export.Dim("batch", max=16)},)
    program = torch.export.export(Plain(), (torch.rand(2, 3, SIDE, SIDE),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def write_program_that_runs(code: str, folder: Path) -> None:
    """Write an exported program in which a size is Python code, which sympify evaluates when it is loaded."""
    plain = write_program(folder).rename(folder / "plain.pt2")
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(folder / "model.pt2", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(content)
                replaced = _replace_expressions(program, f"__import__('builtins').exec({code!r})")
                assert replaced
                content = json.dumps(program).encode()
            target.writestr(name, content)
    plain.unlink()


def _replace_expressions(value: Any, code: str) -> int:
    if isinstance(value, list):
        return sum(_replace_expressions(each, code) for each in value)
    if not isinstance(value, dict):
        return 0
    count = sum(_replace_expressions(each, code) for each in value.values())
    if "expr_str" in value:
        value["expr_str"] = code
        count += 1
    return count


class Scene:
    """Hostile networks, each in a folder of its own, and what they are after."""

    def __init__(self, root: Path, port: int) -> None:
        self.networks, self.scratch = root / "weights" / "own", root / "scratch"
        self.secret, self.weights_of_others = root / "data" / "secret", root / "weights" / "other" / "model.pt2"
        self.made, self.made_by_command = root / "data" / "made", root / "data" / "made-by-command"
        for folder in (self.networks, self.scratch, root / "data", self.weights_of_others.parent):
            folder.mkdir(parents=True)
        self.put_in_order()
        write(Reading(self.secret), self.networks / "reading")
        write(Overwriting(self.weights_of_others), self.networks / "overwriting")
        write(Overwriting(self.made), self.networks / "writing")
        for name, code in {
            "commanding": f"import os; os.system('touch {self.made_by_command}')",
            "connecting": f"import socket; socket.create_connection(('127.0.0.1', {port})).close()",
            "looking": "import os; print(open(f'/proc/{os.getppid()}/environ').read(), flush=True)",
        }.items():
            write_program_that_runs(code, self.networks / name)
        write_program(self.networks / "plain")

    def put_in_order(self) -> None:
        """Undo the harm of a run."""
        for file in (self.secret, self.weights_of_others):
            file.write_bytes(SECRET)
        for file in (self.made, self.made_by_command):
            file.unlink(missing_ok=True)

    def run(self, profile: str, mode: str) -> str:
        """Load all networks in one process, and return all that was said there."""
        order = {"profile": profile, "mode": mode, "weights": str(self.networks), "scratch": str(self.scratch)}
        order["preprocessing"] = PREPROCESSING
        order["settings"] = {
            "weights_url": self.networks.parent.as_uri(),
            "database_url": "postgresql://nowhere/recoq",
            "device": "cpu",
        }
        ended = subprocess.run(
            (sys.executable, "-m", "tests.unit.workers.sandbox.unguarded"),
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(self.scratch), "MARK": "of the parent"},
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def harms(self, said: str) -> set[str]:
        """Return which networks did their harm."""
        done = {
            "reading": str(list(SECRET)) in said,
            "overwriting": self.weights_of_others.read_bytes() != SECRET,
            "writing": self.made.exists(),
            "commanding": self.made_by_command.exists(),
            "looking": "PATH=" in said,
        }
        return {name for name, is_done in done.items() if is_done}


def has_connection(server: socket.socket) -> bool:
    try:
        connection, _ = server.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True


def test_hostile_networks_that_are_loaded_all_the_same_do_no_harm(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        scene = Scene(tmp_path, server.getsockname()[1])
        for profile in ("trial", "worker"):
            said = scene.run(profile, "required")
            assert scene.harms(said) == set(), said
            assert not has_connection(server)
            assert "plain: It ran." in said  # so the others were loaded as well
        said = scene.run("trial", "off")
        assert scene.harms(said) == {"reading", "overwriting", "writing", "commanding", "looking"}, said
        assert has_connection(server)
