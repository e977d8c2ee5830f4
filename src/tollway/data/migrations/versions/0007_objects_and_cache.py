"""Objects that a provider keeps for a project, and the response cache.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROLLUPS = ("usage_hourly", "usage_daily", "usage_tag_hourly", "usage_tag_daily")
_COUNTS = ("usage_audio_seconds", "usage_characters")

_STATEMENTS: tuple[str, ...] = (
    """
    ALTER TABLE project
        ADD COLUMN cache_ttl_s integer DEFAULT 0 NOT NULL,
        ADD COLUMN cache_max_bytes bigint DEFAULT 16777216 NOT NULL,
        ADD COLUMN cache_single_flight boolean DEFAULT false NOT NULL,
        ADD CONSTRAINT ck_project_cache_max_bytes_positive CHECK (cache_max_bytes >= 0),
        ADD CONSTRAINT ck_project_cache_ttl_s_range CHECK (cache_ttl_s BETWEEN 0 AND 2592000)
    """,
    """
    CREATE TABLE provider_object (
        project_id uuid NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        organization_id uuid NOT NULL,
        provider_id uuid NOT NULL,
        key_id uuid NOT NULL,
        purpose text,
        batch_id text,
        told bytea,
        metered_at timestamptz,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_provider_object PRIMARY KEY (project_id, id),
        CONSTRAINT ck_provider_object_kind_known CHECK (kind IN ('file', 'batch')),
        CONSTRAINT ck_provider_object_id_length CHECK (char_length(id) BETWEEN 1 AND 200),
        CONSTRAINT fk_provider_object_organization_id_project
            FOREIGN KEY(organization_id, project_id) REFERENCES project (organization_id, id),
        CONSTRAINT fk_provider_object_organization_id_provider
            FOREIGN KEY(organization_id, provider_id) REFERENCES provider (organization_id, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_provider_object_created_at ON provider_object (project_id, kind, created_at, id)",
    "CREATE INDEX ix_provider_object_provider_id ON provider_object (provider_id)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
    counts = ", ".join(f"ADD COLUMN {name} bigint DEFAULT 0 NOT NULL" for name in _COUNTS)
    op.execute(f"ALTER TABLE ledger_entry {counts}, ADD COLUMN saved_pico bigint DEFAULT 0 NOT NULL")
    for table in _ROLLUPS:
        op.execute(f"ALTER TABLE {table} {counts}, ADD COLUMN saved_pico numeric DEFAULT 0 NOT NULL")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE provider_object")
    for table in ("ledger_entry", *_ROLLUPS):
        op.execute(f"ALTER TABLE {table} {', '.join(f'DROP COLUMN {name}' for name in (*_COUNTS, 'saved_pico'))}")
    for name in ("cache_ttl_s", "cache_max_bytes", "cache_single_flight"):
        op.execute(f"ALTER TABLE project DROP COLUMN {name}")
