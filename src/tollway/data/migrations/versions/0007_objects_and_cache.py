"""Objects that a provider keeps for a project, and the response cache.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS: tuple[str, ...] = (
    """
    ALTER TABLE project
        ADD COLUMN cache_ttl_s integer DEFAULT 0 NOT NULL,
        ADD COLUMN cache_single_flight boolean DEFAULT false NOT NULL,
        ADD CONSTRAINT ck_project_cache_ttl_s_range CHECK (cache_ttl_s BETWEEN 0 AND 2592000)
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE project DROP COLUMN cache_ttl_s, DROP COLUMN cache_single_flight")
