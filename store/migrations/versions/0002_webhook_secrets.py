"""A secret for each account, by which its webhooks are signed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the secret, which is made at its first use."""
    op.add_column("accounts", sa.Column("webhook_secret", sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget all secrets."""
    op.drop_column("accounts", "webhook_secret")
