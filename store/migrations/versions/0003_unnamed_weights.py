"""The keys of weight files that no network names, so that none stay when a process dies in between."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "unnamed_weights",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("date", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_unnamed_weights")),
    )


def downgrade() -> None:
    """Forget the keys."""
    op.drop_table("unnamed_weights")
