"""Routes of aliases, several credentials and options of a provider.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS: tuple[str, ...] = (
    """
    ALTER TABLE alias ADD COLUMN route jsonb
    """,
    """
    ALTER TABLE provider ADD COLUMN options jsonb DEFAULT '{}' NOT NULL
    """,
    """
    ALTER TABLE project ADD COLUMN drop_unsupported boolean DEFAULT false NOT NULL
    """,
    """
    CREATE TABLE provider_credential (
        id uuid NOT NULL,
        provider_id uuid NOT NULL,
        name text NOT NULL,
        credential bytea NOT NULL,
        credential_suffix text DEFAULT '' NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_provider_credential PRIMARY KEY (id),
        CONSTRAINT ck_provider_credential_name_length CHECK (char_length(name) BETWEEN 1 AND 64),
        CONSTRAINT uq_provider_credential_provider_id_name UNIQUE (provider_id, name),
        CONSTRAINT fk_provider_credential_provider_id_provider
            FOREIGN KEY(provider_id) REFERENCES provider (id) ON DELETE CASCADE
    )
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE provider_credential")
    op.execute("ALTER TABLE project DROP COLUMN drop_unsupported")
    op.execute("ALTER TABLE provider DROP COLUMN options")
    op.execute("ALTER TABLE alias DROP COLUMN route")
