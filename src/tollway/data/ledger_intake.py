"""Take ledger entries in: COPY to a staging table, insert what is new, add exactly that to the rollups and budgets."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError

from tollway.data.ledger_row import COLUMNS, HEADER, TRAILER
from tollway.data.rollup_sql import ENTRY_COLUMNS, rollup_ctes
from tollway.data.session import WriteSession
from tollway.data.settlements import settle, sums_of
from tollway.errors import DatabaseUnavailableError
from tollway.ids import is_uuid
from tollway.ledger.entry import LedgerEntry

_STAGING = text("CREATE TEMPORARY TABLE IF NOT EXISTS ledger_staging (LIKE ledger_entry) ON COMMIT DELETE ROWS")
_COPY = f"COPY ledger_staging ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
# In the order of the key: two drains that meet wait for one another instead of deadlocking.
_INSERT = text(f"""
    WITH inserted AS (
        INSERT INTO ledger_entry SELECT * FROM ledger_staging ORDER BY admitted_at, entry_id
        ON CONFLICT DO NOTHING RETURNING entry_id, {", ".join(ENTRY_COLUMNS)}
    ), {rollup_ctes("inserted")}
    SELECT count(*), CASE WHEN count(*) < :rows THEN array_agg(entry_id)::text[] END FROM inserted
""")  # noqa: S608 - made of the names of our own columns
_PARTITION = text("SELECT ledger_partition_make(:moment)")


class EntryRefusedError(ValueError):
    """PostgreSQL cannot hold a value of one of the entries, or has no partition for it. The transaction is spoilt."""


async def take_in(session: WriteSession, worker_id: str, rows: Sequence[tuple[LedgerEntry, bytes]]) -> int:
    """Store the entries that are not stored yet, and settle what they take from budgets; returns how many were new.

    Args:
        session: within a transaction.
        worker_id: who wrote them. If it is no UUID, what it leased is settled as if it had not been leased.
        rows: entries, each with its row from `tollway.data.ledger_row`. The partitions of their months exist.

    Raises:
        EntryRefusedError: a value does not fit, or a partition is missing.
        DatabaseUnavailableError: the connection was lost.
    """
    try:
        await _copy(session, b"".join((HEADER, *(data for _, data in rows), TRAILER)))
        count, new_ids = (await session.execute(_INSERT, {"rows": len(rows)})).one()
        if count < len(rows):
            entries = {entry.entry_id: entry for entry, _ in rows}
            new = [entries[entry_id] for entry_id in new_ids or ()]
        else:
            new = [entry for entry, _ in rows]
        await settle(session, worker_id, sums_of(new, worker_known=is_uuid(worker_id)))
    except (DataError, IntegrityError) as error:
        raise EntryRefusedError(_first_line(error.orig)) from error
    except msgspec.DecodeError as error:
        raise EntryRefusedError(str(error)) from error
    return int(count)


async def _copy(session: WriteSession, data: bytes) -> None:
    await session.execute(_STAGING)
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        message = f"COPY needs psycopg, not {type(driver).__name__}."
        raise TypeError(message)
    try:
        async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(data)
    except psycopg.DataError as error:
        raise EntryRefusedError(_first_line(error)) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError("The connection to the database was lost.", next_step="Try again.") from error


async def make_partition(session: WriteSession, moment: datetime) -> bool:
    """Make the ledger's partition of the month that `moment` lies in; ``False`` if it is there already.

    Raises:
        EntryRefusedError: the year is before 1970 or after 9999.
    """
    try:
        made = await session.execute(_PARTITION, {"moment": moment})
    except DataError as error:
        raise EntryRefusedError(_first_line(error.orig)) from error
    return bool(made.scalar_one())


def _first_line(error: BaseException | None) -> str:
    """What PostgreSQL says, without the row that it quotes after it."""
    return str(error).partition("\n")[0]
