"""The first schema: accounts and their keys, networks, specifications and versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PUBLIC_HAS_SLUG = "(account_id IS NULL) = (slug IS NOT NULL)"
CURRENT_VERSION = "fk_specs_current_version_id_versions"


def upgrade() -> None:
    """Create all tables."""
    _create_accounts()
    _create_networks()
    _create_specs()
    _create_versions()


def downgrade() -> None:
    """Drop all tables."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(CURRENT_VERSION, "specs", type_="foreignkey")
    for table in ("versions", "specs", "networks", "api_keys", "accounts"):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("create_date", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sa.UniqueConstraint("app_id", name="uq_accounts_app_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("create_date", sa.DateTime(), nullable=False),
        sa.Column("revoke_date", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_api_keys_account_id_accounts", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_account_id", "api_keys", ["account_id"])


def _create_networks() -> None:
    op.create_table(
        "networks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("framework", sa.Text(), nullable=False),
        sa.Column("preprocessing", sa.JSON(), nullable=False),
        sa.Column("input_count", sa.Integer(), nullable=False),
        sa.Column("postprocessings", sa.JSON(), nullable=False),
        sa.Column("weights_key", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("deployment_status", sa.String(16), nullable=False),
        sa.Column("deployment_error", sa.Text(), nullable=True),
        sa.Column("deployment_report", sa.JSON(), nullable=True),
        sa.Column("create_date", sa.DateTime(), nullable=False),
        sa.Column("update_date", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_networks"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_networks_account_id_accounts", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("slug", name="uq_networks_slug"),
        sa.CheckConstraint(PUBLIC_HAS_SLUG, name=op.f("ck_networks_public_has_slug")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_networks_account_id_id", "networks", ["account_id", "id"])


def _create_specs() -> None:
    # PostgreSQL needs the other table first; SQLite does not, but cannot add a constraint later.
    constraints = []
    if op.get_bind().dialect.name == "sqlite":
        constraints.append(
            sa.ForeignKeyConstraint(["current_version_id"], ["versions.id"], name=CURRENT_VERSION, ondelete="SET NULL")
        )
    op.create_table(
        "specs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("current_version_id", sa.Integer(), nullable=True),
        sa.Column("create_date", sa.DateTime(), nullable=False),
        sa.Column("update_date", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_specs"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_specs_account_id_accounts", ondelete="CASCADE"
        ),
        *constraints,
        sa.UniqueConstraint("slug", name="uq_specs_slug"),
        sa.CheckConstraint(PUBLIC_HAS_SLUG, name=op.f("ck_specs_public_has_slug")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_specs_account_id_id", "specs", ["account_id", "id"])
    op.create_index("ix_specs_current_version_id", "specs", ["current_version_id"])


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("spec_id", sa.Integer(), nullable=False),
        sa.Column("network_id", sa.Integer(), nullable=False),
        sa.Column("post_processings", sa.JSON(), nullable=False),
        sa.Column("create_date", sa.DateTime(), nullable=False),
        sa.Column("update_date", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_versions_account_id_accounts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["spec_id"], ["specs.id"], name="fk_versions_spec_id_specs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["network_id"], ["networks.id"], name="fk_versions_network_id_networks", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_versions_account_id_id", "versions", ["account_id", "id"])
    op.create_index("ix_versions_spec_id_id", "versions", ["spec_id", "id"])
    op.create_index("ix_versions_network_id", "versions", ["network_id"])
    if op.get_bind().dialect.name != "sqlite":
        op.create_foreign_key(
            CURRENT_VERSION, "specs", "versions", ["current_version_id"], ["id"], ondelete="SET NULL"
        )
