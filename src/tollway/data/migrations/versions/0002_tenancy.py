"""Tenancy: organizations, projects, keys, providers, models, aliases, prices.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("organization", "project", "api_key", "provider", "provider_model", "alias", "price_override")

_STATEMENTS = (
    """
    CREATE TABLE organization (
        id uuid NOT NULL,
        name text NOT NULL,
        time_zone text DEFAULT 'UTC' NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_organization PRIMARY KEY (id),
        CONSTRAINT ck_organization_name_form CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
        CONSTRAINT uq_organization_name UNIQUE (name)
    )
    """,
    """
    CREATE TABLE project (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        name text NOT NULL,
        allow_unpriced boolean DEFAULT false NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        archived_at timestamptz,
        CONSTRAINT pk_project PRIMARY KEY (id),
        CONSTRAINT ck_project_name_form CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
        CONSTRAINT fk_project_organization_id_organization FOREIGN KEY(organization_id)
            REFERENCES organization (id),
        CONSTRAINT uq_project_organization_id_id UNIQUE (organization_id, id)
    )
    """,
    """
    CREATE UNIQUE INDEX uq_project_live_name ON project (organization_id, name) WHERE archived_at IS NULL
    """,
    """
    CREATE TABLE api_key (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        project_id uuid,
        name text NOT NULL,
        digest bytea NOT NULL,
        shown_prefix text NOT NULL,
        scopes text[] NOT NULL,
        allowed_models text[],
        expires_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz DEFAULT now() NOT NULL,
        created_by uuid,
        CONSTRAINT pk_api_key PRIMARY KEY (id),
        CONSTRAINT ck_api_key_digest_length CHECK (octet_length(digest) = 32),
        CONSTRAINT ck_api_key_name_length CHECK (char_length(name) BETWEEN 1 AND 128),
        CONSTRAINT ck_api_key_scopes_known
            CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['inference', 'read', 'admin', 'platform']),
        CONSTRAINT ck_api_key_inference_has_project
            CHECK (project_id IS NOT NULL OR NOT 'inference' = ANY (scopes)),
        CONSTRAINT fk_api_key_organization_id_organization FOREIGN KEY(organization_id)
            REFERENCES organization (id),
        CONSTRAINT fk_api_key_organization_id_project_id_project FOREIGN KEY(organization_id, project_id)
            REFERENCES project (organization_id, id),
        CONSTRAINT uq_api_key_digest UNIQUE (digest)
    )
    """,
    """
    CREATE INDEX ix_api_key_organization_id ON api_key (organization_id)
    """,
    """
    CREATE INDEX ix_api_key_project_id ON api_key (project_id)
    """,
    """
    CREATE UNIQUE INDEX uq_api_key_live_name
            ON api_key (organization_id, project_id, name) NULLS NOT DISTINCT WHERE revoked_at IS NULL
    """,
    """
    CREATE TABLE provider (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        name text NOT NULL,
        spec text NOT NULL,
        dialect text NOT NULL,
        base_url text NOT NULL,
        credential bytea,
        credential_suffix text DEFAULT '' NOT NULL,
        price_provider text NOT NULL,
        declared_only boolean DEFAULT false NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        updated_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_provider PRIMARY KEY (id),
        CONSTRAINT ck_provider_name_form CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
        CONSTRAINT ck_provider_base_url_form CHECK (base_url ~ '^https?://'),
        CONSTRAINT fk_provider_organization_id_organization FOREIGN KEY(organization_id)
            REFERENCES organization (id),
        CONSTRAINT uq_provider_organization_id_name UNIQUE (organization_id, name),
        CONSTRAINT uq_provider_organization_id_id UNIQUE (organization_id, id)
    )
    """,
    """
    CREATE TABLE provider_model (
        id uuid NOT NULL,
        provider_id uuid NOT NULL,
        name text NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_provider_model PRIMARY KEY (id),
        CONSTRAINT ck_provider_model_name_length CHECK (char_length(name) BETWEEN 1 AND 256),
        CONSTRAINT fk_provider_model_provider_id_provider FOREIGN KEY(provider_id)
            REFERENCES provider (id) ON DELETE CASCADE,
        CONSTRAINT uq_provider_model_provider_id_name UNIQUE (provider_id, name)
    )
    """,
    """
    CREATE TABLE alias (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        project_id uuid NOT NULL,
        name text NOT NULL,
        provider_id uuid NOT NULL,
        model text NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_alias PRIMARY KEY (id),
        CONSTRAINT ck_alias_name_form CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$'),
        CONSTRAINT ck_alias_model_length CHECK (char_length(model) BETWEEN 1 AND 256),
        CONSTRAINT fk_alias_organization_id_project_id_project FOREIGN KEY(organization_id, project_id)
            REFERENCES project (organization_id, id),
        CONSTRAINT fk_alias_organization_id_provider_id_provider FOREIGN KEY(organization_id, provider_id)
            REFERENCES provider (organization_id, id),
        CONSTRAINT uq_alias_project_id_name UNIQUE (project_id, name)
    )
    """,
    """
    CREATE INDEX ix_alias_organization_id_provider_id ON alias (organization_id, provider_id)
    """,
    """
    CREATE TABLE price_override (
        id uuid NOT NULL,
        organization_id uuid,
        provider text NOT NULL,
        model text NOT NULL,
        rates jsonb NOT NULL,
        tiers jsonb DEFAULT '{}' NOT NULL,
        valid_from timestamptz,
        valid_to timestamptz,
        source text DEFAULT '' NOT NULL,
        note text DEFAULT '' NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_price_override PRIMARY KEY (id),
        CONSTRAINT ck_price_override_provider_length CHECK (char_length(provider) BETWEEN 1 AND 63),
        CONSTRAINT ck_price_override_model_length CHECK (char_length(model) BETWEEN 1 AND 256),
        CONSTRAINT ck_price_override_rates_given CHECK (jsonb_typeof(rates) = 'object' AND rates <> '{}'),
        CONSTRAINT ck_price_override_tiers_form CHECK (jsonb_typeof(tiers) = 'object'),
        CONSTRAINT ck_price_override_validity_order CHECK (valid_to > valid_from),
        CONSTRAINT fk_price_override_organization_id_organization FOREIGN KEY(organization_id)
            REFERENCES organization (id),
        CONSTRAINT uq_price_override_organization_id_provider_model_valid_from
            UNIQUE NULLS NOT DISTINCT (organization_id, provider, model, valid_from)
    )
    """,
)


def upgrade() -> None:
    """Make the tables. What the application may do to them, 0001 states as the default."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute(f"DROP TABLE {', '.join(reversed(_TABLES))}")
