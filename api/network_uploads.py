"""Takes a new network in while it arrives: its files go straight to the weight store, its fields are validated after.

On any failure nothing of it stays.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from flask import Request

from api.auth import account_id
from api.bodies.json_text import JsonError, parse_json, without_mark
from api.bodies.multipart import IncomingPart, incoming_parts
from api.bodies.nesting import nest
from api.bodies.parts import Part
from api.bodies.reader import MULTIPART, read_body
from api.errors import invalid_fields
from api.schemas.networks import NewNetworkSchema
from api.schemas.preprocessing import mean_files_of
from api.services import services
from config.queues import TaskKind
from store.errors import StoreError
from store.records import NetworkRecord, StoredFile
from store.task_records import NewTask

ARCHITECTURE = "architecture.json"
WEIGHT_SETS = (
    frozenset({"model.pt2"}),
    frozenset({"model.torchscript"}),
    frozenset({"weights.safetensors", ARCHITECTURE}),
    frozenset({"weights.pth", ARCHITECTURE}),
)
SUPPORTED = (
    "Supported for pytorch-2.x: model.pt2; model.torchscript; weights.safetensors or weights.pth with "
    "architecture.json; and the .npy files that the preprocessing names."
)
NAMING = "The part of a file is named as the file; with curl: -F model.pt2=@model.pt2."
FIELDS = frozenset(NewNetworkSchema().fields)
ROOT = re.compile(r"[^.\[]*")
MAX_ARCHITECTURE_BYTES = 1024 * 1024
HEAD_BYTES = 16
BUFFER_BYTES = 1024 * 1024
ZIP, NPY, PICKLE = b"PK\x03\x04", b"\x93NUMPY", b"\x80"

schema = NewNetworkSchema()


def create_network(request: Request) -> NetworkRecord:
    """Store the network that ``request`` brings, and enqueue its deployment.

    Raises:
        InvalidRequest: if its fields are not valid or its files are not what a network needs.
        TooLarge, StorageFull, Unavailable: if the store cannot take it.
    """
    if request.mimetype != MULTIPART:
        _check_set(schema.load(read_body(request)), ())
    upload = _Upload(request, services().settings.max_body_bytes)
    key, files = services().weights.save(upload.files(), services().settings.max_upload_bytes)
    try:
        fields = schema.load(nest(upload.fields))
        _check_set(fields, files)
        return _register(fields, key, files)
    except Exception:
        with contextlib.suppress(StoreError):
            services().weights.delete(key)
        raise


def _register(fields: dict[str, Any], key: str, files: tuple[StoredFile, ...]) -> NetworkRecord:
    owner, networks = account_id(), services().networks
    network = networks.create(owner, **fields, weights_key=key, files=files)
    try:
        task = NewTask(owner, TaskKind.DEPLOYMENT, {"network_id": network.id})
        networks.set_task(network.id, services().queue.submit(task).task_id)
        return networks.get(owner, network.id)
    except Exception:
        with contextlib.suppress(StoreError):
            networks.delete(owner, network.id)
        raise


class _Upload:
    """A multipart body on its way: yields its files and keeps its fields for after."""

    def __init__(self, request: Request, max_field_bytes: int) -> None:
        self.fields: list[tuple[str, Part]] = []
        self._parts = incoming_parts(request)
        self._field_bytes_left = max_field_bytes
        self._names: set[str] = set()

    def files(self) -> Iterator[tuple[str, BinaryIO]]:
        for part in self._parts:
            if _is_field(part):
                self._keep(part)
                continue
            if not _is_supported(part.name):
                raise invalid_fields({part.name: [f"Unsupported file or unknown field. {SUPPORTED} {NAMING}"]})
            if part.name in self._names:
                raise invalid_fields({part.name: ["It is given more than once."]})
            self._names.add(part.name)
            yield part.name, _readable(part)

    def _keep(self, part: IncomingPart) -> None:
        data = part.whole(self._field_bytes_left)
        self._field_bytes_left -= len(data)
        self.fields.append((part.name, Part(data, part.filename, part.content_type)))


def _is_supported(name: str) -> bool:
    plain_name = "/" not in name and "\\" not in name and "\x00" not in name
    return plain_name and (any(name in names for names in WEIGHT_SETS) or name.endswith(".npy"))


def _is_field(part: IncomingPart) -> bool:
    """Tell whether a part is a field: by its name, and for names that could be either, by its lack of a filename."""
    if _is_supported(part.name) and part.filename is not None:
        return False
    root = ROOT.match(part.name)
    return root is not None and root[0] in FIELDS


def _readable(part: IncomingPart) -> BinaryIO:
    """Return the file, once its first bytes have shown that it is of the kind that its name says."""
    if part.name == ARCHITECTURE:
        data = part.whole(MAX_ARCHITECTURE_BYTES)
        _check_architecture(data)
        return io.BytesIO(data)
    stream = io.BufferedReader(part, BUFFER_BYTES)
    head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    if not _looks_right(part.name, head):
        raise invalid_fields({part.name: ["The file is not of the kind that its name says."]})
    return cast(BinaryIO, stream)


def _looks_right(name: str, head: bytes) -> bool:
    match name.rpartition(".")[2]:
        case "npy":
            return head.startswith(NPY)
        case "safetensors":
            return head[8:9] == b"{"
        case "pth":
            return head.startswith((ZIP, PICKLE))
    return head.startswith(ZIP)


def _check_architecture(data: bytes) -> None:
    try:
        value = parse_json(without_mark(data))
    except JsonError as error:
        raise invalid_fields({ARCHITECTURE: [f"Must be valid JSON: {error}."]}) from error
    valid = (
        isinstance(value, dict)
        and isinstance(value.get("builder"), str)
        and isinstance(value.get("kwargs", {}), dict)
        and not value.keys() - {"builder", "kwargs"}
    )
    if not valid:
        wanted = '{"builder": "<a torchvision model builder>", "kwargs": {…}}'
        raise invalid_fields({ARCHITECTURE: [f"Must be {wanted}."]})


def _check_set(fields: dict[str, Any], files: tuple[StoredFile, ...]) -> None:
    """Raise unless the files are exactly one weight set and the mean files that the preprocessing names."""
    names = {file.name for file in files}
    means = mean_files_of(fields["preprocessing"])
    weights = {name for name in names if not name.endswith(".npy")}
    errors: dict[str, list[str]] = {}
    for name in sorted(means - names):
        errors[name] = ["The preprocessing names this mean file, but it is missing."]
    for name in sorted(names - weights - means):
        errors[name] = ["No input of the preprocessing names this mean file."]
    if weights not in WEIGHT_SETS:
        errors["files"] = [f"{_what_is_wrong(weights)} {SUPPORTED}"]
    if errors:
        raise invalid_fields(errors)


def _what_is_wrong(weights: set[str]) -> str:
    if not weights:
        return "The files with the weights are missing."
    if weights == {ARCHITECTURE}:
        return "The weights for architecture.json are missing."
    if any(weights < names for names in WEIGHT_SETS):
        return f"{' and '.join(sorted(weights))} needs {ARCHITECTURE} beside it."
    return f"{', '.join(sorted(weights))} do not go together; there must be exactly one set of weights."
