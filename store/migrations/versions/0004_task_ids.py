"""Blocks of task IDs, and the epochs of the ledger. The IDs begin above those of the tasks that networks name."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, with the highest ID that this database knows of; the ledger knows of higher ones."""
    marks = op.create_table(
        "task_ids",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("high_water", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_ids")),
    )
    op.create_table(
        "ledger_epochs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("date", sa.DateTime(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("noted_id", sa.BigInteger(), nullable=False),
        sa.Column("loss", sa.String(16), nullable=True),
        sa.Column("lost_tasks", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_epochs")),
        sa.UniqueConstraint("token", name=op.f("uq_ledger_epochs_token")),
        sqlite_autoincrement=True,
    )
    named = op.get_bind().execute(sa.text("SELECT task_id FROM networks WHERE task_id IS NOT NULL")).scalars()
    high_water = max((int(task_id) for task_id in named if task_id.isdecimal()), default=0)
    op.bulk_insert(marks, [{"id": 1, "high_water": high_water}])


def downgrade() -> None:
    """Forget both."""
    op.drop_table("ledger_epochs")
    op.drop_table("task_ids")
