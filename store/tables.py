"""The SQL tables, as SQLAlchemy classes that stay inside the store.

The registry and the accounts query them; ``store/migrations`` creates them, and a test proves that the two agree.
A public resource has no account and a slug, a private one has an account and no slug.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# PostgreSQL's JSONB would reorder keys and refuse what JSON may escape, such as \u0000.
JsonColumn = JSON(none_as_null=True)

NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
PUBLIC_HAS_SLUG = "(account_id IS NULL) = (slug IS NOT NULL)"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, with microseconds: aware in Python, without a zone and in UTC in both databases."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored moment, aware."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """Return the present moment, as rows are dated with."""
    return datetime.now(UTC)


class Table(DeclarativeBase):
    """What the tables share: the names of their constraints, the types of their columns."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        str: Text,
        dict[str, Any]: JsonColumn,
        list[dict[str, Any]]: JsonColumn,
    }


class Account(Table):
    """Who owns keys, networks and specifications."""

    __tablename__ = "accounts"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    app_id: Mapped[str] = mapped_column(String(32), unique=True)
    webhook_secret: Mapped[str | None]
    create_date: Mapped[datetime] = mapped_column(default=now)


class ApiKey(Table):
    """A key of an account: its SHA-256 digest in hex, and as much of it as tells it from others."""

    __tablename__ = "api_keys"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    prefix: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    create_date: Mapped[datetime] = mapped_column(default=now)
    revoke_date: Mapped[datetime | None]


class Network(Table):
    """Weights, how inputs are prepared for them, and what their deployment told.

    ``input_count`` repeats the number of ``preprocessing["inputs"]``, for requests that need nothing else of it.
    """

    __tablename__ = "networks"
    __table_args__ = (
        Index(None, "account_id", "id"),
        CheckConstraint(PUBLIC_HAS_SLUG, name="public_has_slug"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    slug: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    framework: Mapped[str]
    preprocessing: Mapped[dict[str, Any]]
    input_count: Mapped[int]
    postprocessings: Mapped[list[dict[str, Any]]]
    weights_key: Mapped[str]
    files: Mapped[list[dict[str, Any]]]
    task_id: Mapped[str | None]
    deployment_status: Mapped[str] = mapped_column(String(16), default="pending")
    deployment_error: Mapped[str | None]
    deployment_report: Mapped[dict[str, Any] | None]
    create_date: Mapped[datetime]
    update_date: Mapped[datetime]


class UnnamedWeights(Table):
    """The key of files in the weight store that no network names: not yet, or not any more."""

    __tablename__ = "unnamed_weights"

    key: Mapped[str] = mapped_column(primary_key=True)
    date: Mapped[datetime] = mapped_column(default=now)


class Spec(Table):
    """What is to be recognised, and the version that does so at present."""

    __tablename__ = "specs"
    __table_args__ = (
        Index(None, "account_id", "id"),
        CheckConstraint(PUBLIC_HAS_SLUG, name="public_has_slug"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    slug: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    outputs: Mapped[list[dict[str, Any]]]
    # Specifications and versions refer to each other: this constraint is added when both tables exist.
    current_version_id: Mapped[int | None] = mapped_column(
        ForeignKey("versions.id", ondelete="SET NULL", use_alter=True), index=True
    )
    create_date: Mapped[datetime]
    update_date: Mapped[datetime]


class Version(Table):
    """A specification's link to a network. ``account_id`` repeats that of its specification, which never changes."""

    __tablename__ = "versions"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "spec_id", "id"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    spec_id: Mapped[int] = mapped_column(ForeignKey("specs.id", ondelete="CASCADE"))
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id", ondelete="CASCADE"), index=True)
    post_processings: Mapped[list[dict[str, Any]]]
    create_date: Mapped[datetime]
    update_date: Mapped[datetime]


class TaskIdMark(Table):
    """One row: up to which ID blocks of task IDs are reserved."""

    __tablename__ = "task_ids"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    high_water: Mapped[int] = mapped_column(BigInteger)


class LedgerEpoch(Table):
    """A life of the task ledger in Redis, and what ended the one before, if it was lost.

    ``noted_id`` is the last ID of the latest block that the ledger was told of, 0 as long as there is none.
    ``lost_tasks`` is how many tasks of the epoch before had not ended, if that is known.
    """

    __tablename__ = "ledger_epochs"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True)
    date: Mapped[datetime] = mapped_column(default=now)
    first_id: Mapped[int] = mapped_column(BigInteger)
    noted_id: Mapped[int] = mapped_column(BigInteger)
    loss: Mapped[str | None] = mapped_column(String(16))
    lost_tasks: Mapped[int | None]
