"""Find ledger entries."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec

from tollway.data import ledger
from tollway.data.ledger import EntryFilter, Place, StoredEntry
from tollway.data.session import AnySession, Database
from tollway.errors import NotFoundError
from tollway.ledger.entry import Outcome
from tollway.services.key_list import require_key
from tollway.services.project_list import project_id_of

_EXPORT_ROWS = 500
"""Read at once by an export: about a megabyte."""
_SAME_ID_MAX = 50
"""Entries shown of one request id. A caller may choose its ids, so several entries can have the same one."""


class EntryQuery(msgspec.Struct, frozen=True):
    """Which entries, as a person says it; ``None`` means any.

    Attributes:
        project, key: id or name.
        model: as asked, as sent, as answered, or ``provider/model`` as sent.
        since, until: admitted in ``[since, until)``.
    """

    project: str | None = None
    key: str | None = None
    model: str | None = None
    provider: str | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def key_id_of(session: AnySession, organization_id: str, key: str | None, project: str | None) -> str | None:
    """The id of the key that entries are narrowed to, ``None`` if they are not.

    Raises:
        NotFoundError, ConflictError: the organization has none of this name, or several.
    """
    return None if key is None else (await require_key(session, organization_id, key, project))[0].id


async def _resolved(session: AnySession, organization_id: str, query: EntryQuery) -> EntryFilter:
    return EntryFilter(
        organization_id=organization_id,
        project_id=await project_id_of(session, organization_id, query.project),
        key_id=await key_id_of(session, organization_id, query.key, query.project),
        model=query.model,
        provider=query.provider,
        outcome=query.outcome,
        request_id=query.request_id,
        since=query.since,
        until=query.until,
    )


class LedgerQuery:
    """Reads the ledger of one organization at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, organization_id: str, query: EntryQuery, *, after: Place | None, limit: int
    ) -> Sequence[StoredEntry]:
        """The newest entries, or those that follow `after`: one more than `limit` if there are more.

        Raises:
            NotFoundError: there is no such project or key.
        """
        async with self._database.read() as session:
            wanted = await _resolved(session, organization_id, query)
            return await ledger.entries(session, wanted, after=after, limit=limit + 1, newest_first=True)

    async def of_request(self, organization_id: str, request_id: str) -> Sequence[StoredEntry]:
        """The entries with this request id, newest first.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            wanted = EntryFilter(organization_id, request_id=request_id)
            found = await ledger.entries(session, wanted, after=None, limit=_SAME_ID_MAX, newest_first=True)
        if not found:
            raise NotFoundError(
                "The ledger has no request of this id.",
                next_step="A request that just ended is in the ledger within a second; list them at"
                " /api/v1/ledger/entries.",
            )
        return found

    async def export(self, organization_id: str, query: EntryQuery) -> AsyncIterator[Sequence[StoredEntry]]:
        """All entries, oldest first, in chunks of bounded size.

        No transaction is open between two chunks, so that a slow reader holds nothing in the database.

        Raises:
            NotFoundError: there is no such project or key; before the iterator is returned.
        """
        async with self._database.read() as session:
            wanted = await _resolved(session, organization_id, query)
        return self._chunks(wanted)

    async def _chunks(self, wanted: EntryFilter) -> AsyncIterator[Sequence[StoredEntry]]:
        after: Place | None = None
        while True:
            async with self._database.read() as session:
                found = await ledger.entries(session, wanted, after=after, limit=_EXPORT_ROWS, newest_first=False)
            if not found:
                return
            yield found
            after = found[-1].place
