"""SQL that compares the ledger with what was derived from it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import text

from tollway.data.connection import PATIENCE_S
from tollway.data.rollup_sql import ROLLUPS, sums_of_entries
from tollway.data.schema.ledger_rollup import MEASURES, key
from tollway.data.session import ReadSession


class Difference(msgspec.Struct, frozen=True):
    """A row of a rollup that is not the sum of its entries.

    Attributes:
        rollup: the table.
        key: what the row is about, column → text.
        expected: measure → sum of the entries, only where it differs; ``None``: there are no such entries.
        stored: measure → what the rollup says; ``None``: it has no such row.
    """

    rollup: str
    key: dict[str, str]
    expected: dict[str, int | None]
    stored: dict[str, int | None]


class WrongCharge(msgspec.Struct, frozen=True):
    """An entry whose charge is not the sum of its lines, or one of whose lines is not quantity x price."""

    entry_id: str
    request_id: str
    charge_pico: int
    recomputed_pico: int


_RANGE = "organization_id = :organization_id AND {moment} >= :since AND {moment} < :until"
_LINE = "floor(((line->>'quantity')::numeric * (line->>'price')::numeric + 500000) / 1000000)"
_CHARGES = text(f"""
    SELECT entry_id::text, request_id, charge_pico, sums.recomputed::numeric AS recomputed_pico
    FROM ledger_entry, LATERAL (
        SELECT coalesce(sum({_LINE}), 0) AS recomputed,
               coalesce(bool_and({_LINE} = (line->>'amount')::numeric), true) AS sound
        FROM jsonb_array_elements(lines) AS line
    ) AS sums
    WHERE {_RANGE.format(moment="admitted_at")} AND (charge_pico <> sums.recomputed OR NOT sums.sound)
    ORDER BY admitted_at, entry_id LIMIT :limit
""")  # noqa: S608 -- constants of this file
_COUNT = text(f"SELECT count(*) FROM ledger_entry WHERE {_RANGE.format(moment='admitted_at')}")  # noqa: S608 -- as above


def _comparison(table: str, unit: str, *, tagged: bool) -> str:
    keys = ", ".join(key(tagged=tagged))
    entries = sums_of_entries(f"ledger_entry WHERE {_RANGE.format(moment='admitted_at')}", unit=unit, tagged=tagged)
    shown = ", ".join(f"{name}::text AS {name}" for name in key(tagged=tagged))
    pairs = ", ".join(f"e.{name} AS expected_{name}, s.{name} AS stored_{name}" for name in MEASURES)
    expected, stored = (", ".join(f"{side}.{name}" for name in MEASURES) for side in ("e", "s"))
    return f"""
        WITH expected AS ({entries}), stored AS (SELECT * FROM {table} WHERE {_RANGE.format(moment="bucket")})
        SELECT {shown}, {pairs} FROM expected AS e FULL JOIN stored AS s USING ({keys})
        WHERE ({expected}) IS DISTINCT FROM ({stored}) ORDER BY {keys} LIMIT :limit
    """  # noqa: S608 -- made of the names of our own tables and columns


_COMPARISONS = {table: text(_comparison(table, unit, tagged=tagged)) for table, (unit, tagged) in ROLLUPS.items()}


async def allow_long_statements(session: ReadSession, *, seconds: int) -> None:
    """For the rest of the transaction, let statements take so long."""
    PATIENCE_S.set(float(seconds))
    await session.execute(text("SELECT set_config('statement_timeout', :limit, true)"), {"limit": f"{seconds}s"})


async def count_entries(session: ReadSession, organization_id: str, since: datetime, until: datetime) -> int:
    """Entries admitted in ``[since, until)``."""
    found = await session.execute(_COUNT, {"organization_id": organization_id, "since": since, "until": until})
    return int(found.scalar_one())


async def differences(
    session: ReadSession, organization_id: str, since: datetime, until: datetime, *, limit: int
) -> Sequence[Difference]:
    """Rows of all rollups that are not the sum of their entries; at the most `limit` of each table.

    `since` and `until` are midnights, UTC. Each table is compared on one snapshot, so a busy drain does no harm.
    """
    found: list[Difference] = []
    values = {"organization_id": organization_id, "since": since, "until": until, "limit": limit}
    for table, (_, tagged) in ROLLUPS.items():
        for row in (await session.execute(_COMPARISONS[table], values)).mappings():
            pairs = {name: (row[f"expected_{name}"], row[f"stored_{name}"]) for name in MEASURES}
            wrong = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
            found.append(
                Difference(
                    rollup=table,
                    key={name: row[name] for name in key(tagged=tagged)},
                    expected={name: None if pair[0] is None else int(pair[0]) for name, pair in wrong.items()},
                    stored={name: None if pair[1] is None else int(pair[1]) for name, pair in wrong.items()},
                )
            )
    return found


async def wrong_charges(
    session: ReadSession, organization_id: str, since: datetime, until: datetime, *, limit: int
) -> Sequence[WrongCharge]:
    """Entries whose charge does not follow from their own lines; at the most `limit`."""
    values = {"organization_id": organization_id, "since": since, "until": until, "limit": limit}
    rows = (await session.execute(_CHARGES, values)).all()
    return [WrongCharge(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
