"""Reads a model folder: ``model.json`` and the files of a network. For ``recoq publish``, ``push`` and ``up``.

``model.json`` is validated by the schemas of the HTTP API, so that a folder means the same to every command, and a
mistake in it is told by the path of its field.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from marshmallow import ValidationError
from marshmallow.validate import Regexp

from api.errors import InvalidRequest, flatten
from api.post_processing_checks import complete
from api.schemas.fields import FreeObject, Items, Record, StrictSchema, Text
from api.schemas.networks import NewNetworkSchema
from api.schemas.post_processings import PostProcessingSchema
from api.schemas.preprocessing import NonEmptyText, mean_files_of
from api.schemas.specs import OutputSchema
from cli.downloads import WeightsSource
from cli.errors import CommandError

DESCRIPTION_FILE = "model.json"
DOWNLOADED_FILE = "weights.pth"
ARCHITECTURE_FILE = "architecture.json"
PROGRAM_FILES = ("model.pt2", "model.torchscript")
STATE_FILES = ("weights.safetensors", DOWNLOADED_FILE)

Json = dict[str, Any]


@dataclass(frozen=True)
class ModelFolder:
    """A model as its folder describes it, defaults filled in; ``files`` are its network's, all of them in ``path``."""

    path: Path
    name: str
    description: str
    metadata: Json
    framework: str
    preprocessing: Json
    postprocessings: list[Json]
    outputs: list[Json]
    post_processings: list[Json]
    files: tuple[str, ...]

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of each file in hex, by name."""
        return {name: _sha256(self.path / name) for name in self.files}


class WeightsSourceSchema(StrictSchema):
    """Where the weights can be fetched."""

    weights = NonEmptyText(required=True)
    url = Text(required=True, validate=Regexp(r"https?://", error="Must be the URL of a file."))
    sha256_prefix = Text(
        required=True,
        validate=Regexp(r"(?i)[0-9a-f]{8,64}$", error="Must be at least the first 8 hex digits of the SHA-256."),
    )


class ModelSchema(NewNetworkSchema):
    """``model.json``: a network, the specification that it serves, and how the one becomes the other."""

    metadata = FreeObject(load_default=dict)
    outputs = Items(Record(OutputSchema), shortest=1, required=True)
    post_processings = Items(Record(PostProcessingSchema), shortest=1, required=True)
    download = Record(WeightsSourceSchema, load_default=None, allow_none=True)


def read_model_folder(folder: Path) -> ModelFolder:
    """Return the model in ``folder``.

    Raises:
        CommandError: if it is no model folder, or ``model.json`` or the set of files is not right.
    """
    description = _read_description(folder)
    return ModelFolder(
        path=folder,
        name=description["name"],
        description=description["description"],
        metadata=description["metadata"],
        framework=description["framework"],
        preprocessing=description["preprocessing"],
        postprocessings=description["postprocessings"],
        outputs=description["outputs"],
        post_processings=_completed(folder, description),
        files=_files(folder, description),
    )


def missing_download(folder: Path) -> WeightsSource | None:
    """Return where to fetch the weights of ``folder``; ``None`` if they are there.

    Raises:
        CommandError: if they are not and ``model.json`` does not say where to fetch them.
    """
    description = _read_description(folder)
    if _weights_in(folder):
        return None
    if description["download"] is None:
        raise CommandError(f"{folder} has no weights, and its {DESCRIPTION_FILE} has no download to fetch them from.")
    return WeightsSource(**description["download"])


def _read_description(folder: Path) -> Json:
    path = folder / DESCRIPTION_FILE
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CommandError(f"{folder} is not a model folder: it has no {DESCRIPTION_FILE}.") from error
    try:
        loaded: Json = ModelSchema().load(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{path} is not valid JSON: {error}.") from error
    except ValidationError as error:
        raise invalid_model(folder, dict(flatten(error.messages))) from error
    return loaded


def _completed(folder: Path, description: Json) -> list[Json]:
    try:
        return complete(description["outputs"], description["post_processings"])
    except InvalidRequest as error:
        raise invalid_model(folder, error.errors or {}) from error


def invalid_model(folder: Path, errors: Mapping[str, list[str]]) -> CommandError:
    """Return the error that lists what is wrong in the ``model.json`` of ``folder``, by the paths of the fields."""
    lines = [f"  {field}: {' '.join(messages)}" for field, messages in errors.items()]
    return CommandError("\n".join([f"{folder / DESCRIPTION_FILE} is not valid:", *lines]))


def _files(folder: Path, description: Json) -> tuple[str, ...]:
    weights = _weights_in(folder)
    if not weights:
        hint = " Fetch them with: recoq publish --download" if description["download"] else ""
        wanted = ", ".join((*PROGRAM_FILES, *STATE_FILES))
        raise CommandError(f"{folder} has no weights: one of {wanted} is needed.{hint}")
    if len(weights) > 1:
        raise CommandError(f"{folder} has several sets of weights, and one is wanted: {', '.join(weights)}.")
    names = {*weights, *mean_files_of(description["preprocessing"])}
    if weights[0] in STATE_FILES:
        names.add(ARCHITECTURE_FILE)
    for name in sorted(names):
        if not (folder / name).is_file():
            raise CommandError(f"{folder} has no file {name}, which its network needs.")
    return tuple(sorted(names))


def _weights_in(folder: Path) -> list[str]:
    return [name for name in (*PROGRAM_FILES, *STATE_FILES) if (folder / name).is_file()]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
