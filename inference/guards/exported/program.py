"""Opens a ``torch.export`` archive only after judging everything in it that could run as a program.

``torch.export.load`` trusts its file. It unpickles without limits whatever the archive marks as pickled, and also
sample inputs that the safe unpickler refuses. It loads native code that lies in the archive. It hands symbolic sizes
to ``sympify``, which evaluates them. It resolves targets of the graph to any function below ``torch`` or ``operator``.
It writes names into Python source, and follows others from attribute to attribute. So the records of the archive, and
each field of their JSON, are compared with what ``torch.export.save`` writes for a plain network, and anything else is
refused before torch reads it. Used by :mod:`inference.loader`.
"""

import json
import threading
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from inference.errors import NetworkError
from inference.guards.archives import Archive, open_archive, open_nested_archive
from inference.guards.exported.schema import check_payloads_json, check_program_json
from inference.guards.records import EXPORTED_PROGRAM, SAVED_OBJECT
from inference.programs.calls import make_call_plain
from inference.programs.reading import MODEL_RECORD, SAMPLE_INPUTS, read_program

PAYLOADS = {
    "data/weights/model_weights_config.json": "data/weights/weight_",
    "data/constants/model_constants_config.json": "data/constants/tensor_",
}
MAX_JSON_BYTES = 256 * 1024 * 1024
MAX_PICKLE_BYTES = 16 * 1024 * 1024

# torch keeps the program that it is reading in a global variable.
_reading = threading.Lock()


def load_checked_program(path: Path, inputs: Sequence[str], device: torch.device) -> nn.Module:
    """Load the exported program in ``path`` onto ``device``, to be called with one tensor for each of the inputs.

    Raises:
        NetworkError: when the archive holds more than a plain network, cannot be read, or takes other inputs.
    """
    description = check_program(path, inputs)
    written_by = str(description.get("torch_version", "of an unknown version"))[:40]
    try:
        with _reading:
            program = read_program(path, description)
            if device.type != "cpu":
                program = move_to_device_pass(program, device)
            # Guards travel as Python source and would be executed; the shapes of inputs are checked without them.
            return program.module(check_guards=False)
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except Exception as error:  # torch reports a version mismatch, and anything else, as it likes
        raise NetworkError(
            f"The file {path.name}, exported by torch {written_by}, cannot be read by torch {torch.__version__}."
        ) from error


def check_program(path: Path, inputs: Sequence[str]) -> dict[str, Any]:
    """Check an archive, and return the JSON of its program, with a plain call for inputs of these names.

    Raises:
        NetworkError: with what in the archive is not accepted.
    """
    if _was_written_before_2_8(path):
        raise NetworkError(f"The file {path.name} has the format of torch before 2.8; export it again.")
    archive = open_archive(path, EXPORTED_PROGRAM)
    try:
        for record, prefix in PAYLOADS.items():
            _check_payloads(archive, record, prefix)
        _check_sample_inputs(archive)
        description: dict[str, Any] = _json_in(archive, MODEL_RECORD)
        make_call_plain(description, inputs)
        check_program_json(description)  # what is checked is what torch gets
    except (RuntimeError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"The file {path.name} is not an exported program that can be read.") from error
    return description


def _was_written_before_2_8(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return "version" in file.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _json_in(archive: Archive, record: str) -> Any:
    return json.loads(archive.read(record, MAX_JSON_BYTES).decode())  # as torch does: never of another encoding


def _check_payloads(archive: Archive, record: str, prefix: str) -> None:
    payloads = _json_in(archive, record)
    check_payloads_json(payloads)
    for name, payload in payloads["config"].items():
        meta = payload["tensor_meta"]
        path = record.rpartition("/")[0] + "/" + payload["path_name"]
        if payload["use_pickle"] or meta is None or not path.startswith(prefix) or path not in archive.sizes:
            raise NetworkError("The exported program holds pickled objects or misplaced weights: not accepted.")
        if not archive.sizes[path] and not _is_empty(meta):
            raise NetworkError(f"The exported program holds no values for {name[:80]!r}.")


def _is_empty(tensor: Mapping[str, Any]) -> bool:
    return {"as_int": 0} in tensor["sizes"]


def _check_sample_inputs(archive: Archive) -> None:
    """Check that the safe unpickler accepts the sample inputs: torch turns to the unsafe one if it does not.

    Only the pickle is read; what is in the tensors decides nothing.
    """
    content = archive.read(SAMPLE_INPUTS, archive.sizes[SAMPLE_INPUTS])
    if not content:
        return
    nested = open_nested_archive(content, f"The exported program's part {SAMPLE_INPUTS}", SAVED_OBJECT)
    nested.read("data.pkl", MAX_PICKLE_BYTES)
    try:
        torch.load(BytesIO(content), map_location="meta", weights_only=True)
    except Exception as error:  # the safe unpickler, or the archive reader below it
        raise NetworkError(
            "The exported program's sample inputs are not plain tensors; export it with plain tensors."
        ) from error
