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
    """
    CREATE TABLE response (
        project_id uuid NOT NULL,
        id text NOT NULL,
        organization_id uuid NOT NULL,
        key_id uuid NOT NULL,
        previous_id text,
        conversation_id text,
        status text NOT NULL,
        fault text,
        background boolean DEFAULT false NOT NULL,
        worker_id uuid,
        item_ids text[] DEFAULT '{}' NOT NULL,
        outline bytea NOT NULL,
        content bytea,
        created_at timestamptz DEFAULT now() NOT NULL,
        ended_at timestamptz,
        expires_at timestamptz NOT NULL,
        CONSTRAINT pk_response PRIMARY KEY (project_id, id),
        CONSTRAINT ck_response_id_length CHECK (char_length(id) BETWEEN 1 AND 200),
        CONSTRAINT ck_response_status_known
            CHECK (status IN ('in_progress', 'completed', 'incomplete', 'failed', 'cancelled')),
        CONSTRAINT fk_response_organization_id_project
            FOREIGN KEY(organization_id, project_id) REFERENCES project (organization_id, id)
    )
    """,
    "CREATE INDEX ix_response_expires_at ON response (expires_at)",
    "CREATE INDEX ix_response_previous_id ON response (project_id, previous_id) WHERE previous_id IS NOT NULL",
    "CREATE INDEX ix_response_item_ids ON response USING gin (item_ids)",
    "CREATE INDEX ix_response_worker_id ON response (worker_id) WHERE worker_id IS NOT NULL",
    """
    CREATE TABLE conversation (
        project_id uuid NOT NULL,
        id text NOT NULL,
        organization_id uuid NOT NULL,
        metadata_json bytea NOT NULL,
        next_position bigint DEFAULT 0 NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        expires_at timestamptz NOT NULL,
        CONSTRAINT pk_conversation PRIMARY KEY (project_id, id),
        CONSTRAINT fk_conversation_organization_id_project
            FOREIGN KEY(organization_id, project_id) REFERENCES project (organization_id, id)
    )
    """,
    "CREATE INDEX ix_conversation_expires_at ON conversation (expires_at)",
    """
    CREATE TABLE conversation_item (
        project_id uuid NOT NULL,
        conversation_id text NOT NULL,
        position bigint NOT NULL,
        id text NOT NULL,
        content bytea NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_conversation_item PRIMARY KEY (project_id, conversation_id, position),
        CONSTRAINT fk_conversation_item_project_id_conversation
            FOREIGN KEY(project_id, conversation_id) REFERENCES conversation (project_id, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_conversation_item_id ON conversation_item (project_id, conversation_id, id)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for table in ("conversation_item", "conversation", "response"):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE project DROP COLUMN store_content, DROP COLUMN retention_days")
