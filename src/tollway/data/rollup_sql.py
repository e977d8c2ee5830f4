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
_SUMMED_MEASURES = {name: f"sum({name})" for name in MEASURES}


def sums_of_entries(source: str, *, unit: str, tagged: bool) -> str:
    """A query over `source` (rows of ``ledger_entry``) with the columns of a rollup: its key, then `MEASURES`.

    Args:
        source: a FROM item, with its WHERE if any.
        unit: ``hour`` or ``day``.
        tagged: whether to tell tags apart.
    """
    named = {"bucket": f"date_trunc('{unit}', admitted_at, 'UTC')", "model": "provider || '/' || model_sent"}
    return _sums(source, named, _ENTRY_MEASURES, tagged=tagged, unfold_tags=tagged)


def hourly_sums_of_sums(source: str, *, tagged: bool) -> str:
    """As `sums_of_entries`, over rows that have the columns of ``usage_hourly``, and ``tags``."""
    return _sums(source, {}, _SUMMED_MEASURES, tagged=tagged, unfold_tags=tagged)


def _daily(source: str, *, tagged: bool) -> str:
    bucket = {"bucket": "date_trunc('day', bucket, 'UTC')"}
    return _sums(source, bucket, _SUMMED_MEASURES, tagged=tagged, unfold_tags=False)


def _sums(source: str, named: dict[str, str], measures: dict[str, str], *, tagged: bool, unfold_tags: bool) -> str:
    item, _, condition = source.partition(" WHERE ")
    tags = ", jsonb_each_text(tags) AS tag (tag_name, tag_value)" if unfold_tags else ""
    where = f" WHERE {condition}" if condition else ""
    keys = key(tagged=tagged)
    selected = [f"{named.get(name, name)} AS {name}" for name in keys]
    # bigint sums are numeric in PostgreSQL; the counts of one bucket fit a bigint
    selected += [f"({measures[name]}){'::bigint' if name in COUNTS else ''} AS {name}" for name in MEASURES]
    positions = ", ".join(str(position) for position in range(1, len(keys) + 1))
    return f"SELECT {', '.join(selected)} FROM {item}{tags}{where} GROUP BY {positions}"  # noqa: S608 - our own names


def _addition(table: str, source: str, *, tagged: bool) -> str:
    names = ", ".join((*key(tagged=tagged), *MEASURES))
    keys = ", ".join(key(tagged=tagged))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in MEASURES)
    # Rows are always locked in the order of their key, so that two drains cannot deadlock.
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} ORDER BY {keys} "  # noqa: S608 - our own names
        f"ON CONFLICT ({keys}) DO UPDATE SET {added}"
    )


def rollup_ctes(*, hourly: str, tag_hourly: str) -> str:
    """Common table expressions that add sums by hour, given as queries, to all four rollups."""
    parts: list[str] = []
    for tagged, infix, query in ((False, "", hourly), (True, "tag_", tag_hourly)):
        hours, days = f"{infix}hour_sums", f"{infix}day_sums"
        parts += (
            f"{hours} AS MATERIALIZED ({query})",
            f"{days} AS ({_daily(hours, tagged=tagged)})",
            f"{infix}hours AS ({_addition(f'usage_{infix}hourly', hours, tagged=tagged)})",
            f"{infix}days AS ({_addition(f'usage_{infix}daily', days, tagged=tagged)})",
        )
    return ", ".join(parts)
