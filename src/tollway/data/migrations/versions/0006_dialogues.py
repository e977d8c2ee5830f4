"""Responses and conversations that Tollway keeps, and what projects let it store.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS: tuple[str, ...] = (
    """
    ALTER TABLE project
        ADD COLUMN store_content text DEFAULT 'full' NOT NULL,
        ADD COLUMN retention_days integer DEFAULT 30 NOT NULL,
        ADD CONSTRAINT ck_project_store_content_known CHECK (store_content IN ('none', 'metadata', 'full')),
        ADD CONSTRAINT ck_project_retention_days_range CHECK (retention_days BETWEEN 1 AND 3650)
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE project DROP COLUMN store_content, DROP COLUMN retention_days")
