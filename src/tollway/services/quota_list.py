"""Find budgets and limits."""

from collections.abc import Sequence

from tollway.data import quotas
from tollway.data.page import Page
from tollway.data.quotas import Family
from tollway.data.session import AnySession, Database
from tollway.errors import NotFoundError
from tollway.services.key_list import require_key
from tollway.services.project_list import project_id_of
from tollway.services.quota_state import StatedQuota, SubjectState, stated, stated_by_subject


def no_quota(family: Family) -> NotFoundError:
    """There is none, or it is another tenant's."""
    return NotFoundError(f"There is no {family} of this id.", next_step=f"List them at /api/v1/{family}s.")


async def require_quota(session: AnySession, organization_id: str, family: Family, quota_id: str) -> StatedQuota:
    """The quota of this id.

    Raises:
        NotFoundError: the organization has none.
    """
    found = await quotas.find(session, organization_id, family, quota_id)
    if found is None:
        raise no_quota(family)
    return (await stated(session, [found]))[0]


class QuotaList:
    """Reads budgets and limits, with what is used of them now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, family: Family, quota_id: str) -> StatedQuota:
        """The budget or limit of this id.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            return await require_quota(session, organization_id, family, quota_id)

    async def page(
        self, organization_id: str, family: Family, page: Page, *, project: str | None = None, key: str | None = None
    ) -> Sequence[StatedQuota]:
        """A page of the organization's budgets or limits, or of those of one project or key.

        Raises:
            NotFoundError, ConflictError: there is no such project or key; several keys have this name.
        """
        async with self._database.read() as session:
            project_id = await project_id_of(session, organization_id, project)
            row = None if key is None else (await require_key(session, organization_id, key, project))[0]
            key_id = None if row is None else row.origin_id or row.id
            found = await quotas.page(session, organization_id, family, page, project_id=project_id, key_id=key_id)
            return await stated(session, found)

    async def windows(self, organization_id: str, family: Family, quota_id: str, page: Page) -> Sequence[SubjectState]:
        """A page of the present windows of a quota, one for each of its subjects that has used it.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            found = await quotas.find(session, organization_id, family, quota_id)
            if found is None:
                raise no_quota(family)
            return await stated_by_subject(session, found.quota, page)
