"""What the SQL store hands out: frozen records, safe to pass between threads and layers.

The registry and the accounts make them; the API, the workers and the command line read them. ORM objects never
leave the store. Dates are aware and in UTC. A public resource has ``account_id`` None and a slug; a private one
has an account and no slug. The JSON values inside (``metadata``, ``preprocessing``, …) are not to be changed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from store.turns import NETWORK_SECONDS

DeploymentStatus = Literal["pending", "success", "error"]
Role = Literal["admin", "read"]
JsonObject = dict[str, Any]
JsonArray = list[JsonObject]

T = TypeVar("T")


@dataclass(frozen=True)
class StoredFile:
    """One file of a network in the weight store; ``size`` in bytes, ``sha256`` in lower-case hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Deployment:
    """What the deployment of a network has told so far.

    ``report`` is set on success: ``{"inputs": [{"name", "shape", "dtype"}], "outputs": [{"name", "shape", "dtype"}],
    "left_out": [{"name", "reason"}], "precision": str, "precision_reason": str, "channels_last": bool, "frozen": bool,
    "recorded": bool, "side_by_side": bool, "threads": int or null, "max_batch_size": int, "batch_reason": str,
    "batch_milliseconds": {str: float}, "failed_sizes": [{"inputs": [shape], "error": str}]}``, where a null in a shape
    is a dimension that varies. ``error`` is a sentence.
    """

    status: DeploymentStatus
    error: str | None = None
    report: JsonObject | None = None


@dataclass(frozen=True)
class NetworkRecord:
    """A network: weights and how its inputs are prepared. ``weights_key`` names its files in the weight store."""

    id: int
    slug: str | None
    account_id: int | None
    name: str
    description: str
    metadata: JsonObject
    framework: str
    preprocessing: JsonObject
    postprocessings: JsonArray
    weights_key: str
    files: tuple[StoredFile, ...]
    task_id: str | None
    deployment: Deployment
    create_date: datetime
    update_date: datetime


@dataclass(frozen=True)
class SpecRecord:
    """A recognition specification. ``outputs`` is empty in the records of a list, which does not read that column."""

    id: int
    slug: str | None
    account_id: int | None
    name: str
    description: str
    metadata: JsonObject
    outputs: JsonArray
    current_version_id: int | None
    create_date: datetime
    update_date: datetime


@dataclass(frozen=True)
class VersionRecord:
    """A specification's link to a network. ``post_processings`` is empty in the records of a list."""

    id: int
    spec_id: int
    network_id: int
    spec_slug: str | None
    network_slug: str | None
    spec_name: str
    network_name: str
    post_processings: JsonArray
    create_date: datetime
    update_date: datetime


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list, and how many elements the whole list has."""

    items: tuple[T, ...]
    total: int


@dataclass(frozen=True)
class RunnableVersion:
    """All that a worker needs to run a version."""

    version: VersionRecord
    spec: SpecRecord
    network: NetworkRecord


@dataclass(frozen=True)
class InferenceTarget:
    """What an inference request needs to be accepted.

    ``version_id`` is None for a request to a network itself, and for a specification without a current version;
    in the latter case ``network_id`` and ``input_count`` are 0. ``stamp`` is that of the registry if the target is
    remembered from then. ``network_seconds`` is what the network is estimated to take for an image.
    """

    version_id: int | None
    network_id: int
    input_count: int
    network_seconds: float = NETWORK_SECONDS
    stamp: str | None = None


@dataclass(frozen=True)
class Principal:
    """Who asks: the account behind a key, and what that key may do. ``date_created`` is the account's."""

    account_id: int
    account_name: str
    app_id: str
    role: Role
    date_created: datetime


@dataclass(frozen=True)
class KeyRecord:
    """An API key as it can be listed: never the key itself, only its first characters."""

    id: int
    prefix: str
    account_name: str
    role: Role
    date_created: datetime
    date_revoked: datetime | None
