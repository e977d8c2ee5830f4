"""Read budgets and limits for the memory of a worker."""

from collections.abc import Mapping

from tollway.data.changes import ALL
from tollway.data.quotas import all_quotas, fingerprint, quotas_of
from tollway.data.session import Database
from tollway.ledger.quota import Quota


class QuotaLoad:
    """Reads the quotas of all organizations, as far as they may have changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fingerprint: tuple[int, int] | None = None

    async def load(self, known: Mapping[str, Quota] | None, changed_id: str) -> Mapping[str, Quota] | None:
        """All quotas by their ids, ``None`` if `known` is what they are.

        Args:
            known: what was read before; ``None`` for nothing.
            changed_id: of the quota that changed; ``*``: any may have.

        Raises:
            DatabaseUnavailableError: keep those you have.
        """
        async with self._database.read() as session:
            if known is not None and changed_id != ALL:
                rest = {id_: quota for id_, quota in known.items() if id_ != changed_id}
                return rest | await quotas_of(session, {changed_id})
            present = await fingerprint(session)
            if known is not None and present == self._fingerprint:
                return None
            quotas = await all_quotas(session)
        self._fingerprint = present
        return {quota.id: quota for quota in quotas}
