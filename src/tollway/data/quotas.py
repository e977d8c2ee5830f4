"""SQL of budgets and rate limits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Select, bindparam, delete, func, select, text

from tollway.data.conflict import stored
from tollway.data.page import Page, paged
from tollway.data.schema.key import ApiKey
from tollway.data.schema.organization import Organization
from tollway.data.schema.project import Project
from tollway.data.schema.quota import SCOPE, QuotaRow
from tollway.data.session import AnySession, ReadSession, WriteSession
from tollway.ledger.quota import Mode, Period, Quota, Unit

_CONFLICTS = {
    "uq_quota_scope": ("The same budget or limit is being set by somebody else at this moment.", "Try again.")
}


class Family(StrEnum):
    """Budgets and rate limits are two nouns over one table."""

    BUDGET = "budget"
    LIMIT = "limit"

    @property
    def rows(self) -> ColumnElement[bool]:
        """Which rows are of it."""
        is_budget = QuotaRow.unit == Unit.USD.value
        return is_budget if self is Family.BUDGET else ~is_budget


class QuotaRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A quota with the names of what it belongs to."""

    quota: Quota
    project: str | None
    key: str | None
    created_at: datetime
    updated_at: datetime


def quota_of(row: QuotaRow | Any, time_zone: str) -> Quota:
    """The row as the arithmetic wants it; `time_zone` is its organization's."""
    return Quota(
        id=row.id,
        organization_id=row.organization_id,
        unit=Unit(row.unit),
        period=Period(row.period),
        amount=int(row.amount),
        mode=Mode(row.mode),
        length_s=row.length_s,
        project_id=row.project_id,
        key_id=row.key_id,
        user_tag=row.user_tag,
        tag_name=row.tag_name,
        tag_value=row.tag_value,
        provider=row.provider,
        model=row.model,
        each=tuple(row.each),
        raised_amount=None if row.raised_amount is None else int(row.raised_amount),
        raised_until=None if row.raised_until is None else row.raised_until.timestamp(),
        paused=row.paused,
        generation=row.generation,
        queue_s=row.queue_s,
        strict=row.strict,
        thresholds=tuple(row.thresholds),
        time_zone=time_zone,
    )


_QUOTAS = select(QuotaRow, Organization.time_zone).join(Organization, QuotaRow.organization_id == Organization.id)


async def all_quotas(session: ReadSession) -> list[Quota]:
    """Every budget and limit of every organization."""
    return [quota_of(row, time_zone) for row, time_zone in await session.execute(_QUOTAS)]


# Read by PostgreSQL itself: to compare ten thousand rows here would keep the event loop from its requests.
_FINGERPRINT = text("""
    SELECT count(*), coalesce(sum(hashtextextended(quota::text || organization.time_zone, 0)), 0)
    FROM quota JOIN organization ON quota.organization_id = organization.id
""")


async def fingerprint(session: ReadSession) -> tuple[int, int]:
    """Changes whenever any quota does."""
    count, digest = (await session.execute(_FINGERPRINT)).one()
    return count, int(digest)


# By columns: to make objects of rows that every exchange of leases reads takes twice as long.
_QUOTAS_OF = (
    select(*QuotaRow.__table__.columns, Organization.time_zone)
    .join(Organization, QuotaRow.organization_id == Organization.id)
    .where(QuotaRow.id == func.any(bindparam("ids", type_=ARRAY(QuotaRow.id.type))))
)


async def quotas_of(session: AnySession, quota_ids: Collection[str]) -> dict[str, Quota]:
    """These quotas by their ids; one that was deleted is missing."""
    found = await session.execute(_QUOTAS_OF, {"ids": list(quota_ids)})
    return {row.id: quota_of(row, row.time_zone) for row in found}


def _records(organization_id: str, family: Family) -> Select[QuotaRow, str, str, str]:
    return (
        select(QuotaRow, Organization.time_zone, Project.name, ApiKey.name)
        .join(Organization, QuotaRow.organization_id == Organization.id)
        .join(Project, QuotaRow.project_id == Project.id, isouter=True)
        .join(ApiKey, QuotaRow.key_id == ApiKey.id, isouter=True)
        .where(QuotaRow.organization_id == organization_id, family.rows)
    )


def _record(found: Any) -> QuotaRecord:
    row, time_zone, project, key = found
    return QuotaRecord(
        quota=quota_of(row, time_zone),
        project=project,
        key=key,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def find(session: AnySession, organization_id: str, family: Family, quota_id: str) -> QuotaRecord | None:
    """One quota."""
    found = await session.execute(_records(organization_id, family).where(QuotaRow.id == quota_id))
    row = found.one_or_none()
    return _record(row) if row else None


async def page(
    session: ReadSession,
    organization_id: str,
    family: Family,
    wanted: Page,
    *,
    project_id: str | None,
    key_id: str | None,
) -> Sequence[QuotaRecord]:
    """A page of the organization's quotas, or of those of one project or key."""
    statement = _records(organization_id, family)
    if project_id is not None:
        statement = statement.where(QuotaRow.project_id == project_id)
    if key_id is not None:
        statement = statement.where(QuotaRow.key_id == key_id)
    return [_record(row) for row in await session.execute(paged(statement, QuotaRow.id, wanted))]


async def lock(session: WriteSession, organization_id: str, family: Family, quota_id: str) -> QuotaRow | None:
    """One quota, held against other changes until the transaction ends."""
    statement = (
        select(QuotaRow)
        .where(QuotaRow.organization_id == organization_id, family.rows, QuotaRow.id == quota_id)
        .with_for_update()
    )
    return (await session.scalars(statement)).one_or_none()


async def lock_of_project(session: WriteSession, project_id: str) -> Sequence[QuotaRow]:
    """All quotas of a project and its keys, held until the transaction ends."""
    statement = select(QuotaRow).where(QuotaRow.project_id == project_id).order_by(QuotaRow.id).with_for_update()
    return (await session.scalars(statement)).all()


async def lock_same(session: WriteSession, row: QuotaRow) -> QuotaRow | None:
    """The quota of the same organization and scope as `row`, held until the transaction ends."""
    same = [getattr(QuotaRow, name).is_not_distinct_from(getattr(row, name)) for name in SCOPE]
    statement = select(QuotaRow).where(QuotaRow.organization_id == row.organization_id, *same).with_for_update()
    return (await session.scalars(statement)).one_or_none()


async def save(session: WriteSession, row: QuotaRow) -> None:
    """Insert or update. Raises ConflictError if the same was set at the same moment."""
    await stored(session, row, _CONFLICTS)


async def lock_rolling(session: WriteSession, quotas: Iterable[Quota]) -> None:
    """Let one transaction at a time grant of a rolling quota: two slots are two rows, and neither sees the other new.

    Before any window is locked.
    """
    rolling = [quota.id for quota in quotas if quota.period is Period.ROLLING]
    if rolling:
        statement = select(QuotaRow.id).where(QuotaRow.id.in_(rolling)).order_by(QuotaRow.id)
        await session.execute(statement.with_for_update(key_share=True))


async def remove(session: WriteSession, quota_id: str) -> None:
    """Delete the row. Its windows stay until they are purged: the journal may still settle into them."""
    await session.execute(delete(QuotaRow).where(QuotaRow.id == quota_id))
