"""Budgets and rate limits with their windows and leases; audit events, webhooks, idempotency.

Revision ID: 0004
Revises: 0003
"""

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    "quota",
    "quota_window",
    "quota_lease",
    "worker",
    "database_timeline",
    "audit_event",
    "webhook",
    "webhook_delivery",
    "idempotency_claim",
)

_STATEMENTS = (
    """
    ALTER TABLE organization ADD COLUMN serve_without_database boolean DEFAULT false NOT NULL
    """,
    """
    ALTER TABLE project
        ADD COLUMN clamp_output boolean DEFAULT true NOT NULL,
        ADD COLUMN default_output_tokens integer,
        ADD CONSTRAINT ck_project_default_output_tokens_positive CHECK (default_output_tokens > 0)
    """,
    """
    ALTER TABLE provider ADD COLUMN public_only boolean DEFAULT false NOT NULL
    """,
    """
    ALTER TABLE api_key ADD COLUMN origin_id uuid
    """,
    """
    CREATE TABLE quota (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        unit text NOT NULL,
        period text NOT NULL,
        length_s integer DEFAULT 0 NOT NULL,
        mode text NOT NULL,
        amount numeric(38, 0) NOT NULL,
        project_id uuid,
        key_id uuid,
        user_tag text,
        tag_name text,
        tag_value text,
        provider text,
        model text,
        each text[] DEFAULT '{}' NOT NULL,
        raised_amount numeric(38, 0),
        raised_until timestamptz,
        paused boolean DEFAULT false NOT NULL,
        generation integer DEFAULT 0 NOT NULL,
        queue_s numeric(6, 3) DEFAULT 0 NOT NULL,
        strict boolean DEFAULT true NOT NULL,
        thresholds smallint[] DEFAULT '{50,80,100}' NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        updated_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_quota PRIMARY KEY (id),
        CONSTRAINT ck_quota_unit_known
            CHECK (unit IN ('usd', 'requests', 'input_tokens', 'output_tokens', 'tokens', 'parallel')),
        CONSTRAINT ck_quota_period_known
            CHECK (period IN ('total', 'second', 'minute', 'hour', 'day', 'week', 'month', 'rolling')),
        CONSTRAINT ck_quota_length_given CHECK ((period = 'rolling') = (length_s > 0)),
        CONSTRAINT ck_quota_mode_known CHECK (mode IN ('hard', 'soft')),
        CONSTRAINT ck_quota_amount_positive CHECK (amount >= 0 AND raised_amount >= 0),
        CONSTRAINT ck_quota_raise_whole CHECK ((raised_amount IS NULL) = (raised_until IS NULL)),
        CONSTRAINT ck_quota_queue_bounded CHECK (queue_s BETWEEN 0 AND 60),
        CONSTRAINT ck_quota_each_known
            CHECK (each <@ ARRAY['project', 'key', 'user', 'tag', 'provider', 'model']),
        CONSTRAINT fk_quota_organization_id_organization FOREIGN KEY(organization_id) REFERENCES organization (id),
        CONSTRAINT fk_quota_organization_id_project FOREIGN KEY(organization_id, project_id)
            REFERENCES project (organization_id, id),
        CONSTRAINT fk_quota_key_id_api_key FOREIGN KEY(key_id) REFERENCES api_key (id),
        CONSTRAINT uq_quota_scope UNIQUE NULLS NOT DISTINCT
            (organization_id, unit, period, length_s, project_id, key_id, user_tag, tag_name, tag_value, provider,
             model, each)
    )
    """,
    """
    CREATE TABLE quota_window (
        quota_id uuid NOT NULL,
        generation integer NOT NULL,
        subject text NOT NULL,
        start_us bigint NOT NULL,
        end_us bigint NOT NULL,
        granted numeric(38, 0) DEFAULT 0 NOT NULL,
        settled numeric(38, 0) DEFAULT 0 NOT NULL,
        threshold smallint DEFAULT 0 NOT NULL,
        CONSTRAINT pk_quota_window PRIMARY KEY (quota_id, generation, subject, start_us)
    )
    """,
    """
    CREATE INDEX ix_quota_window_end_us ON quota_window (end_us)
    """,
    """
    CREATE INDEX ix_quota_window_short ON quota_window (end_us) WHERE end_us - start_us <= 60000000
    """,
    """
    CREATE TABLE quota_lease (
        worker_id uuid NOT NULL,
        quota_id uuid NOT NULL,
        generation integer NOT NULL,
        subject text NOT NULL,
        start_us bigint NOT NULL,
        granted numeric(38, 0) DEFAULT 0 NOT NULL,
        spent numeric(38, 0) DEFAULT 0 NOT NULL,
        held numeric(38, 0) DEFAULT 0 NOT NULL,
        sequence bigint DEFAULT 0 NOT NULL,
        CONSTRAINT pk_quota_lease PRIMARY KEY (worker_id, quota_id, generation, subject, start_us)
    )
    """,
    """
    CREATE INDEX ix_quota_lease_window ON quota_lease (quota_id, generation, subject, start_us)
    """,
    """
    CREATE TABLE worker (
        id uuid NOT NULL,
        host text NOT NULL,
        started_at timestamptz DEFAULT now() NOT NULL,
        seen_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_worker PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE database_timeline (
        timeline bigint NOT NULL,
        since timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_database_timeline PRIMARY KEY (timeline)
    )
    """,
    """
    CREATE TABLE audit_event (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        at timestamptz DEFAULT now() NOT NULL,
        actor_key_id uuid,
        action text NOT NULL,
        subject text NOT NULL,
        detail jsonb DEFAULT '{}' NOT NULL,
        CONSTRAINT pk_audit_event PRIMARY KEY (id),
        CONSTRAINT fk_audit_event_organization_id_organization FOREIGN KEY(organization_id)
            REFERENCES organization (id)
    )
    """,
    """
    CREATE INDEX ix_audit_event_organization_id ON audit_event (organization_id, id)
    """,
    """
    CREATE TABLE webhook (
        id uuid NOT NULL,
        organization_id uuid NOT NULL,
        name text NOT NULL,
        url text NOT NULL,
        public_only boolean DEFAULT true NOT NULL,
        secret bytea NOT NULL,
        events text[] NOT NULL,
        enabled boolean DEFAULT true NOT NULL,
        created_at timestamptz DEFAULT now() NOT NULL,
        CONSTRAINT pk_webhook PRIMARY KEY (id),
        CONSTRAINT ck_webhook_name_form CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
        CONSTRAINT ck_webhook_url_form CHECK (url ~ '^https?://'),
        CONSTRAINT fk_webhook_organization_id_organization FOREIGN KEY(organization_id) REFERENCES organization (id),
        CONSTRAINT uq_webhook_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE TABLE webhook_delivery (
        id uuid NOT NULL,
        webhook_id uuid NOT NULL,
        event_id uuid NOT NULL,
        attempts integer DEFAULT 0 NOT NULL,
        next_at timestamptz DEFAULT now(),
        delivered_at timestamptz,
        last_error text DEFAULT '' NOT NULL,
        CONSTRAINT pk_webhook_delivery PRIMARY KEY (id),
        CONSTRAINT fk_webhook_delivery_webhook_id_webhook FOREIGN KEY(webhook_id)
            REFERENCES webhook (id) ON DELETE CASCADE,
        CONSTRAINT fk_webhook_delivery_event_id_audit_event FOREIGN KEY(event_id) REFERENCES audit_event (id)
    )
    """,
    """
    CREATE INDEX ix_webhook_delivery_due ON webhook_delivery (webhook_id, next_at)
        WHERE delivered_at IS NULL AND next_at IS NOT NULL
    """,
    """
    CREATE INDEX ix_webhook_delivery_webhook_id ON webhook_delivery (webhook_id, id)
    """,
    """
    CREATE TABLE idempotency_claim (
        key_id uuid NOT NULL,
        digest bytea NOT NULL,
        body_digest bytea NOT NULL,
        worker_id uuid NOT NULL,
        entry_id uuid,
        claimed_at timestamptz DEFAULT now() NOT NULL,
        expires_at timestamptz NOT NULL,
        status integer,
        headers jsonb,
        body bytea,
        CONSTRAINT pk_idempotency_claim PRIMARY KEY (key_id, digest),
        CONSTRAINT ck_idempotency_claim_digest_length
            CHECK (octet_length(digest) = 32 AND octet_length(body_digest) = 32),
        CONSTRAINT fk_idempotency_claim_key_id_api_key FOREIGN KEY(key_id) REFERENCES api_key (id)
    )
    """,
    """
    CREATE INDEX ix_idempotency_claim_expires_at ON idempotency_claim (expires_at)
    """,
    """
    CREATE INDEX ix_idempotency_claim_worker_id ON idempotency_claim (worker_id) WHERE status IS NULL
    """,
)


def upgrade() -> None:
    """Make the tables. The application may append audit events, and never change them."""
    role = context.config.attributes["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f"REVOKE ALL ON audit_event FROM {role}")
    op.execute(f"GRANT SELECT, INSERT ON audit_event TO {role}")


def downgrade() -> None:
    """Drop them."""
    op.execute(f"DROP TABLE {', '.join(reversed(_TABLES))}")
    op.execute("ALTER TABLE project DROP COLUMN clamp_output, DROP COLUMN default_output_tokens")
    op.execute("ALTER TABLE api_key DROP COLUMN origin_id")
    op.execute("ALTER TABLE organization DROP COLUMN serve_without_database")
    op.execute("ALTER TABLE provider DROP COLUMN public_only")
