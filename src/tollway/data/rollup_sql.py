"""The SQL that turns ledger entries into rollups: one text for the drain, which adds, and the audit, which compares."""

from tollway.data.schema.ledger_entry import usage_column
from tollway.data.schema.ledger_rollup import COUNTS, MEASURES, key
from tollway.ledger.usage import KINDS

ROLLUPS = {
    "usage_hourly": ("hour", False),
    "usage_daily": ("day", False),
    "usage_tag_hourly": ("hour", True),
    "usage_tag_daily": ("day", True),
}
"""Table → its bucket, and whether it tells tags apart."""

ENTRY_COLUMNS = (
    "admitted_at",
    "organization_id",
    "project_id",
    "key_id",
    "provider",
    "model_sent",
    "tags",
    "outcome",
    "priced",
    "usage_source",
    *(usage_column(kind) for kind in KINDS),
    "charge_pico",
    "provider_cost_pico",
    "saved_pico",
)
"""What the sums read of an entry: the drain hands on no more than that."""
_ENTRY_MEASURES = {
    "requests": "count(*)",
    "errors": "count(*) FILTER (WHERE outcome NOT IN ('ok', 'client_left'))",
    "unpriced": "count(*) FILTER (WHERE NOT priced)",
    "estimated": "count(*) FILTER (WHERE usage_source = 'estimated')",
    **{usage_column(kind): f"sum({usage_column(kind)})" for kind in KINDS},
    "charge_pico": "sum(charge_pico)",
    "provider_cost_pico": "coalesce(sum(provider_cost_pico), 0)",
    "saved_pico": "sum(saved_pico)",
}


def sums_of_entries(source: str, *, unit: str, tagged: bool) -> str:
    """A query over `source` (rows of ``ledger_entry``) with the columns of a rollup: its key, then `MEASURES`.

    Args:
        source: a FROM item, with its WHERE if any.
        unit: ``hour`` or ``day``.
        tagged: whether to tell tags apart.
    """
    item, _, condition = source.partition(" WHERE ")
    tags = ", jsonb_each_text(tags) AS tag (tag_name, tag_value)" if tagged else ""
    where = f" WHERE {condition}" if condition else ""
    columns = {name: name for name in key(tagged=tagged)}
    columns["bucket"] = f"date_trunc('{unit}', admitted_at, 'UTC')"
    columns["model"] = "provider || '/' || model_sent"
    selected = [f"{expression} AS {name}" for name, expression in columns.items()]
    # bigint sums are numeric in PostgreSQL; the counts of one bucket fit a bigint
    selected += [f"({_ENTRY_MEASURES[name]}){'::bigint' if name in COUNTS else ''} AS {name}" for name in MEASURES]
    positions = ", ".join(str(position) for position in range(1, len(columns) + 1))
    return f"SELECT {', '.join(selected)} FROM {item}{tags}{where} GROUP BY {positions}"  # noqa: S608 - our own names


def _daily(source: str, *, tagged: bool) -> str:
    names = key(tagged=tagged)
    selected = [("date_trunc('day', bucket, 'UTC') AS bucket" if name == "bucket" else name) for name in names]
    selected += [f"sum({name}){'::bigint' if name in COUNTS else ''} AS {name}" for name in MEASURES]
    positions = ", ".join(str(position) for position in range(1, len(names) + 1))
    return f"SELECT {', '.join(selected)} FROM {source} GROUP BY {positions}"  # noqa: S608 - our own names


def _addition(table: str, source: str, *, tagged: bool) -> str:
    names = ", ".join((*key(tagged=tagged), *MEASURES))
    keys = ", ".join(key(tagged=tagged))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in MEASURES)
    # Rows are always locked in the order of their key, so that two drains cannot deadlock.
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} ORDER BY {keys} "  # noqa: S608 - our own names
        f"ON CONFLICT ({keys}) DO UPDATE SET {added}"
    )


def rollup_ctes(entries: str) -> str:
    """Common table expressions that add the rows of the expression `entries` to all four rollups."""
    parts: list[str] = []
    for tagged, infix in ((False, ""), (True, "tag_")):
        hourly, daily = f"{infix}hour_sums", f"{infix}day_sums"
        parts += (
            f"{hourly} AS MATERIALIZED ({sums_of_entries(entries, unit='hour', tagged=tagged)})",
            f"{daily} AS ({_daily(hourly, tagged=tagged)})",
            f"{infix}hours AS ({_addition(f'usage_{infix}hourly', hourly, tagged=tagged)})",
            f"{infix}days AS ({_addition(f'usage_{infix}daily', daily, tagged=tagged)})",
        )
    return ", ".join(parts)
