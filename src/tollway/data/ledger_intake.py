"""Take ledger entries in: COPY them, through a staging table if some may be there already, and count the new ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError

from tollway.data.ledger_counts import LedgerCounts
from tollway.data.ledger_row import COLUMNS, HEADER, TRAILER
from tollway.data.session import WriteSession
from tollway.data.settlements import settle, sums_of
from tollway.errors import DatabaseUnavailableError
from tollway.ids import is_uuid

_STAGING = text("CREATE TEMPORARY TABLE IF NOT EXISTS ledger_staging (LIKE ledger_entry) ON COMMIT DELETE ROWS")
_COPY = f"COPY {{table}} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
# In the order of the key: two drains that meet wait for one another instead of deadlocking.
_INSERT = text("""
    INSERT INTO ledger_entry SELECT * FROM ledger_staging ORDER BY admitted_at, entry_id
    ON CONFLICT DO NOTHING RETURNING entry_id
""")
_PARTITION = text("SELECT ledger_partition_make(:moment)")


class EntryRefusedError(ValueError):
    """PostgreSQL cannot hold a value of one of the entries, or has no partition for it. The transaction is spoilt."""


class EntryKnownError(Exception):
    """One of the entries is in the ledger already. The transaction is spoilt."""


async def take_in_new(session: WriteSession, rows: Sequence[bytes]) -> None:
    """Store entries none of which is stored yet: half the work of `take_in`.

    Args:
        session: within a transaction.
        rows: of the entries, from `tollway.data.ledger_row`. The partitions of their months exist.

    Raises:
        EntryKnownError: one is stored.
        EntryRefusedError: a value does not fit, or a partition is missing.
        DatabaseUnavailableError: the connection was lost.
    """
    await _copy(session, "ledger_entry", rows)


async def take_in(session: WriteSession, rows: Sequence[bytes]) -> set[bytes]:
    """Store the entries that are not stored yet; returns the bytes of their ids.

    Args and Raises are those of `take_in_new`, but for `EntryKnownError`.
    """
    with _refusals():
        await session.execute(_STAGING)
        await _copy(session, "ledger_staging", rows)
        return {entry_id.bytes for entry_id in (await session.execute(_INSERT)).scalars()}


async def count(session: WriteSession, worker_id: str, counts: LedgerCounts) -> None:
    """Add to the rollups and settle budgets, in the transaction that stores the entries, after that.

    Args:
        session: locks windows, so this comes last there.
        worker_id: who wrote the entries. If it is no UUID, what it leased is settled as if it had not been leased.
        counts: of entries that are new to the database.

    Raises:
        EntryRefusedError: a value does not fit.
    """
    with _refusals():
        await counts.save_rollups(session)
        await settle(session, worker_id, sums_of(counts.taken, worker_known=is_uuid(worker_id)))


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise EntryRefusedError(_first_line(error.orig)) from error
    except msgspec.DecodeError as error:
        raise EntryRefusedError(str(error)) from error


async def _copy(session: WriteSession, table: str, rows: Sequence[bytes]) -> None:
    """Rows sort by the key of their entry, for the same reason as above."""
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        message = f"COPY needs psycopg, not {type(driver).__name__}."
        raise TypeError(message)
    try:
        async with driver.cursor() as cursor, cursor.copy(_COPY.format(table=table)) as copy:
            await copy.write(b"".join((HEADER, *sorted(rows), TRAILER)))
    except psycopg.errors.UniqueViolation as error:
        raise EntryKnownError from error
    except (psycopg.DataError, psycopg.IntegrityError) as error:
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
