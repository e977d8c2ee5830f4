"""One turn of a conversation at a time, the events of streams in the background, and content only where it is wanted.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS: tuple[str, ...] = (
    """
    ALTER TABLE conversation
        ADD COLUMN lock_id uuid,
        ADD COLUMN lock_worker_id uuid,
        ADD COLUMN locked_until timestamptz
    """,
    "CREATE INDEX ix_conversation_lock_worker_id ON conversation (lock_worker_id) WHERE lock_worker_id IS NOT NULL",
    """
    CREATE TABLE response_event (
        project_id uuid NOT NULL,
        response_id text NOT NULL,
        first_number bigint NOT NULL,
        last_number bigint NOT NULL,
        content bytea NOT NULL,
        CONSTRAINT pk_response_event PRIMARY KEY (project_id, response_id, first_number),
        CONSTRAINT fk_response_event_project_id_response
            FOREIGN KEY(project_id, response_id) REFERENCES response (project_id, id) ON DELETE CASCADE
    )
    """,
    # Projects that are there keep what they have.
    "ALTER TABLE project ALTER COLUMN store_content SET DEFAULT 'metadata'",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE project ALTER COLUMN store_content SET DEFAULT 'full'")
    op.execute("DROP TABLE response_event")
    op.execute("ALTER TABLE conversation DROP COLUMN lock_id, DROP COLUMN lock_worker_id, DROP COLUMN locked_until")
