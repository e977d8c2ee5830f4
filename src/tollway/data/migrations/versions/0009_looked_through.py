"""Which files of batches had their lines looked through when they were uploaded.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it. Those that are there are looked through once more when a batch of them is started."""
    op.execute("ALTER TABLE provider_object ADD COLUMN looked_through boolean DEFAULT false NOT NULL")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE provider_object DROP COLUMN looked_through")
