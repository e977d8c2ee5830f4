"""What the ledger of a test database holds, read past all services."""

from collections.abc import Sequence
from pathlib import Path

import psycopg

from support.entries import a_writer, opening
from tollway.ledger.entry import LedgerEntry

ROLLUPS = ("usage_hourly", "usage_daily", "usage_tag_hourly", "usage_tag_daily")


def stored_ids(url: str) -> list[str]:
    """The ids of all entries."""
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute("SELECT entry_id FROM ledger_entry ORDER BY 1")]


def rollup_sums(url: str) -> dict[str, tuple[int, int]]:
    """Requests and pico-dollars in each rollup."""
    with psycopg.connect(url) as connection:
        found = {}
        for table in ROLLUPS:
            query = psycopg.sql.SQL("SELECT coalesce(sum(requests), 0), coalesce(sum(charge_pico), 0) FROM {}")
            row = connection.execute(query.format(psycopg.sql.Identifier(table))).fetchone()
            assert row
            found[table] = (int(row[0]), int(row[1]))
        return found


async def write_journal(
    data_dir: Path, entries: Sequence[LedgerEntry], *, interrupted: Sequence[LedgerEntry] = (), **settings: object
) -> None:
    """The journal of a worker that served `entries`, and was serving `interrupted` when it died."""
    writer = a_writer(data_dir / "journal", **settings)
    for entry in entries:
        writer.open(opening(entry))
        writer.close(entry)
    for entry in interrupted:
        writer.open(opening(entry))
    await writer.aclose()
