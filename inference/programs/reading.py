"""Has torch read an exported program from its archive, but for the description, which is the one that was checked."""

import json
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram
from torch.export.pt2_archive import PT2ArchiveReader
from torch.export.pt2_archive._package import _load_exported_programs

MODEL_NAME = "model"
MODEL_RECORD = f"models/{MODEL_NAME}.json"
SAMPLE_INPUTS = f"data/sample_inputs/{MODEL_NAME}.pt"


class _Archive(PT2ArchiveReader):
    """The archive's weights and constants, with another description and no sample inputs."""

    def __init__(self, path: Path, description: bytes) -> None:
        super().__init__(str(path))
        self._description = description

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a record."""
        if name == MODEL_RECORD:
            return self._description
        return b"" if name == SAMPLE_INPUTS else bytes(super().read_bytes(name))


def read_program(path: Path, model: dict[str, Any]) -> ExportedProgram:
    """Return the program in the archive at ``path``, whose JSON is taken to be ``model``.

    Raises:
        Exception: whatever torch makes of it.
    """
    archive = _Archive(path, json.dumps(model).encode())
    return _load_exported_programs(archive, archive.get_file_names(), None)[MODEL_NAME]
