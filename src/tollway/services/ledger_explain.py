"""Explain what a request cost."""

from collections.abc import Sequence

from tollway.data.ledger import StoredEntry
from tollway.ledger.explain import Explanation, explain
from tollway.services.ledger_query import LedgerQuery


class LedgerExplain:
    """Shows the arithmetic behind entries."""

    def __init__(self, query: LedgerQuery) -> None:
        self._query = query

    async def explain(self, organization_id: str, request_id: str) -> Sequence[tuple[StoredEntry, Explanation]]:
        """The entries with this request id, newest first, each with its arithmetic.

        Raises:
            NotFoundError: the organization has none.
        """
        found = await self._query.of_request(organization_id, request_id)
        return [(stored, explain(stored.entry)) for stored in found]
