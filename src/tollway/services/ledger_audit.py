"""Recompute the rollups from the entries, and the charges from their lines, and show what differs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from tollway.data import ledger_check
from tollway.data.ledger_check import Difference, WrongCharge
from tollway.data.session import Database

DAYS_DEFAULT = 31
FOUND_MAX = 100
"""Findings shown of each kind: more of them say nothing new."""
_STATEMENT_TIMEOUT_S = 300


class Audit(msgspec.Struct, frozen=True):
    """What an audit found.

    Attributes:
        since, until: the range, widened to whole days (UTC).
        entries: how many were checked.
        differences: rows of rollups that are not the sum of their entries.
        wrong_charges: entries whose charge does not follow from their lines.
    """

    since: datetime
    until: datetime
    entries: int
    differences: Sequence[Difference]
    wrong_charges: Sequence[WrongCharge]

    @property
    def agrees(self) -> bool:
        """Whether nothing was found."""
        return not self.differences and not self.wrong_charges


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class LedgerAudit:
    """Checks the ledger of one organization. Changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def audit(
        self, organization_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Audit:
        """Check the entries admitted in ``[since, until)``; by default those of the last 31 days.

        Raises:
            DatabaseUnavailableError: the database is away, or the range is too long to be checked at once.
        """
        last = until or datetime.now(UTC) + timedelta(days=1)
        first = _midnight(since or last - timedelta(days=DAYS_DEFAULT))
        end = _midnight(last)
        end = end if end == last else end + timedelta(days=1)
        async with self._database.read() as session, session.begin():
            await ledger_check.allow_long_statements(session, seconds=_STATEMENT_TIMEOUT_S)
            return Audit(
                since=first,
                until=end,
                entries=await ledger_check.count_entries(session, organization_id, first, end),
                differences=await ledger_check.differences(session, organization_id, first, end, limit=FOUND_MAX),
                wrong_charges=await ledger_check.wrong_charges(session, organization_id, first, end, limit=FOUND_MAX),
            )
