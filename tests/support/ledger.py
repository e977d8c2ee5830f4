"""What the ledger of a test database holds, read past all services."""

from collections.abc import Sequence
from pathlib import Path

import psycopg

from support.entries import a_writer, opening
from tollway.data.session import Database
from tollway.journal.sent import SentSegments
from tollway.ledger.entry import LedgerEntry
from tollway.services.drain import Drain
from tollway.services.ledger_store import LedgerStore
from tollway.services.resend import Resend
from tollway.services.worker_release import WorkerRelease

ROLLUPS = ("usage_hourly", "usage_daily", "usage_tag_hourly", "usage_tag_daily")


def stored_ids(url: str) -> list[str]:
    """The ids of all entries."""
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute("SELECT entry_id FROM ledger_entry ORDER BY 1")]


def rollup_sums(url: str) -> dict[str, tuple[int, int]]:
    """Requests and pico-dollars in each rollup, as of one moment."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        found = {}
        for table in ROLLUPS:
            query = psycopg.sql.SQL("SELECT coalesce(sum(requests), 0), coalesce(sum(charge_pico), 0) FROM {}")
            row = connection.execute(query.format(psycopg.sql.Identifier(table))).fetchone()
            assert row
            found[table] = (int(row[0]), int(row[1]))
        return found


def a_drain(database: Database, data_dir: Path, *, batch_entries: int = 50, recovery_window_s: float = 0) -> Drain:
    """The drain of a data directory."""
    store, release = LedgerStore(database, quarantine=data_dir / "damaged"), WorkerRelease(database)
    sent = SentSegments(data_dir / "journal", window_s=recovery_window_s)
    resend = Resend(database, store, release, sent, batch_entries=batch_entries)
    return Drain(store, release, resend, data_dir, batch_entries=batch_entries)


async def drain_all(drain: Drain) -> None:
    """Drain until nothing is left."""
    while (await drain.pass_over()).more:
        pass


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
