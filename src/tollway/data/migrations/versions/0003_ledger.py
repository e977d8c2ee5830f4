"""The ledger, its monthly partitions, and the rollups.

Revision ID: 0003
Revises: 0002
"""

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "audio_cache_read",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
    "images",
    "requests",
    "citation",
    "web_searches",
)
_USAGE = ",\n".join(f"usage_{kind} bigint NOT NULL" for kind in _KINDS)
_ROLLUPS = {"usage_hourly": "", "usage_daily": "", "usage_tag_hourly": "tag_", "usage_tag_daily": "tag_"}

_LEDGER = f"""
    CREATE TABLE ledger_entry (
        admitted_at timestamptz NOT NULL,
        entry_id uuid NOT NULL,
        request_id text NOT NULL,
        organization_id uuid NOT NULL,
        project_id uuid NOT NULL,
        key_id uuid NOT NULL,
        surface text NOT NULL,
        model_asked text NOT NULL,
        provider text NOT NULL,
        model_sent text NOT NULL,
        model_answered text NOT NULL,
        user_tag text NOT NULL,
        tags jsonb NOT NULL,
        stream boolean NOT NULL,
        outcome text NOT NULL,
        status integer NOT NULL,
        error text NOT NULL,
        attempts jsonb NOT NULL,
        {_USAGE},
        usage_source text NOT NULL,
        priced boolean NOT NULL,
        charge_pico bigint NOT NULL,
        lines jsonb NOT NULL,
        provider_cost_pico bigint,
        duration_us bigint NOT NULL,
        first_byte_us bigint,
        request_bytes bigint NOT NULL,
        response_bytes bigint NOT NULL,
        CONSTRAINT pk_ledger_entry PRIMARY KEY (admitted_at, entry_id)
    ) PARTITION BY RANGE (admitted_at)
"""
_INDEXES = (
    "CREATE INDEX ix_ledger_entry_request_id ON ledger_entry (request_id)",
    "CREATE INDEX ix_ledger_entry_organization ON ledger_entry (organization_id, admitted_at, entry_id)",
    "CREATE INDEX ix_ledger_entry_project ON ledger_entry (project_id, admitted_at)",
    "CREATE INDEX ix_ledger_entry_key ON ledger_entry (key_id, admitted_at)",
)
# Made apart and then attached: ATTACH lets readers and writers of the other partitions go on, CREATE … PARTITION OF
# would lock them all out. The check spares ATTACH a scan. One caller at a time makes partitions.
_FUNCTION = """
    CREATE FUNCTION ledger_partition_make(moment timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
    DECLARE
        first_day timestamptz := date_trunc('month', moment);
        next_month timestamptz := first_day + interval '1 month';
        part text := 'ledger_entry_' || to_char(first_day, 'YYYYMM');
        bounds text := format('admitted_at >= %L AND admitted_at < %L', first_day, next_month);
    BEGIN
        IF moment < '1970-01-01' OR moment >= '9999-12-01' THEN
            RAISE EXCEPTION 'no ledger partition for %', moment USING ERRCODE = 'datetime_field_overflow';
        END IF;
        IF to_regclass('public.' || part) IS NOT NULL THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('ledger_partition_make'));
        IF to_regclass('public.' || part) IS NOT NULL THEN
            RETURN false;
        END IF;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.ledger_entry INCLUDING ALL, CHECK (%s))', part, bounds);
        EXECUTE format('REVOKE ALL ON public.%I FROM {role}', part);
        EXECUTE format('GRANT SELECT, INSERT ON public.%I TO {role}', part);
        EXECUTE format('ALTER TABLE public.ledger_entry ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       part, first_day, next_month);
        RETURN true;
    END
    $$
"""


def _rollup(name: str, prefix: str) -> str:
    tag_columns = "tag_name text NOT NULL, tag_value text NOT NULL," if prefix else ""
    tag_key = "tag_name, tag_value, " if prefix else ""
    return f"""
        CREATE TABLE {name} (
            organization_id uuid NOT NULL,
            bucket timestamptz NOT NULL,
            {tag_columns}
            project_id uuid NOT NULL,
            key_id uuid NOT NULL,
            provider text NOT NULL,
            model text NOT NULL,
            requests bigint NOT NULL,
            errors bigint NOT NULL,
            unpriced bigint NOT NULL,
            estimated bigint NOT NULL,
            {_USAGE},
            charge_pico numeric NOT NULL,
            provider_cost_pico numeric NOT NULL,
            CONSTRAINT pk_{name} PRIMARY KEY (organization_id, bucket, {tag_key}project_id, key_id, provider, model)
        )
    """


def upgrade() -> None:
    """Make the tables and the partitions of this and the next two months."""
    role = context.config.attributes["app_role"]
    op.execute(_LEDGER)
    for statement in _INDEXES:
        op.execute(statement)
    op.execute(f"REVOKE ALL ON ledger_entry FROM {role}")
    op.execute(f"GRANT SELECT, INSERT ON ledger_entry TO {role}")
    op.execute(_FUNCTION.replace("{role}", role))
    op.execute("REVOKE ALL ON FUNCTION ledger_partition_make(timestamptz) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION ledger_partition_make(timestamptz) TO {role}")
    op.execute("SELECT ledger_partition_make(now() + make_interval(months => ahead)) FROM generate_series(0, 2) ahead")
    for name, prefix in _ROLLUPS.items():
        op.execute(_rollup(name, prefix))


def downgrade() -> None:
    """Remove them, with everything in them."""
    for name in _ROLLUPS:
        op.execute(f"DROP TABLE {name}")
    op.execute("DROP FUNCTION ledger_partition_make(timestamptz)")
    op.execute("DROP TABLE ledger_entry")
