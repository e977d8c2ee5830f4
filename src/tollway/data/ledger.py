"""SQL that reads the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, Select, literal, or_, select, tuple_

from tollway.data.schema.key import ApiKey
from tollway.data.schema.ledger_entry import LEDGER_ENTRY, usage_column
from tollway.data.schema.project import Project
from tollway.data.session import ReadSession
from tollway.ledger.entry import Attempt, ChargeLine, LedgerEntry, Outcome, UsageSource
from tollway.ledger.usage import KINDS, Usage
from tollway.ledger.window import EPOCH

_MICROSECOND = timedelta(microseconds=1)


class EntryFilter(msgspec.Struct, frozen=True):
    """Which entries; ``None`` means any.

    Attributes:
        organization_id: always given: entries of other tenants do not exist.
        model: as asked, as sent, as answered, or ``provider/model`` as sent.
        since, until: admitted in ``[since, until)``.
    """

    organization_id: str
    project_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    provider: str | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Place(msgspec.Struct, frozen=True):
    """Where an entry stands in the order of the ledger."""

    admitted_at_us: int
    entry_id: str


class StoredEntry(msgspec.Struct, frozen=True):
    """An entry with the present names of its project and key (``None`` if they are gone)."""

    entry: LedgerEntry
    project: str | None
    key: str | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.entry.admitted_at_us, self.entry.entry_id)


def _filtered(wanted: EntryFilter) -> Select[Any]:
    column = LEDGER_ENTRY.c
    statement = (
        select(LEDGER_ENTRY, Project.name.label("project_name"), ApiKey.name.label("key_name"))
        .outerjoin(Project, Project.id == column.project_id)
        .outerjoin(ApiKey, ApiKey.id == column.key_id)
        .where(column.organization_id == wanted.organization_id)
    )
    for name in ("project_id", "key_id", "provider", "outcome", "request_id"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(column[name] == value)
    if wanted.model is not None:
        names = (column.model_asked, column.model_sent, column.model_answered)
        sent = column.provider + "/" + column.model_sent
        statement = statement.where(or_(sent == wanted.model, *(name == wanted.model for name in names)))
    if wanted.since is not None:
        statement = statement.where(column.admitted_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(column.admitted_at < wanted.until)
    return statement


async def entries(
    session: ReadSession, wanted: EntryFilter, *, after: Place | None, limit: int, newest_first: bool
) -> Sequence[StoredEntry]:
    """At the most `limit` entries that follow `after` in the order of their admission."""
    column = LEDGER_ENTRY.c
    statement = _filtered(wanted)
    order = tuple_(column.admitted_at, column.entry_id)
    if after is not None:
        place = tuple_(EPOCH + after.admitted_at_us * _MICROSECOND, literal(after.entry_id, column.entry_id.type))
        statement = statement.where(order < place if newest_first else order > place)
    ordering = (column.admitted_at, column.entry_id)
    statement = statement.order_by(*(part.desc() if newest_first else part for part in ordering)).limit(limit)
    return [_stored(row) for row in (await session.execute(statement)).all()]


def _stored(row: Row[Any]) -> StoredEntry:
    values = row._mapping  # noqa: SLF001 -- public in SQLAlchemy in spite of its name
    entry = LedgerEntry(
        entry_id=values["entry_id"],
        request_id=values["request_id"],
        admitted_at_us=(values["admitted_at"] - EPOCH) // _MICROSECOND,
        organization_id=values["organization_id"],
        project_id=values["project_id"],
        key_id=values["key_id"],
        surface=values["surface"],
        model_asked=values["model_asked"],
        provider=values["provider"],
        model_sent=values["model_sent"],
        model_answered=values["model_answered"],
        user_tag=values["user_tag"],
        tags=tuple(sorted(values["tags"].items())),
        stream=values["stream"],
        outcome=Outcome(values["outcome"]),
        status=values["status"],
        error=values["error"],
        attempts=tuple(_attempt(attempt) for attempt in values["attempts"]),
        usage=Usage(**{kind: values[usage_column(kind)] for kind in KINDS}),
        usage_source=UsageSource(values["usage_source"]),
        priced=values["priced"],
        charge=values["charge_pico"],
        lines=tuple(ChargeLine(**line) for line in values["lines"]),
        provider_cost=values["provider_cost_pico"],
        duration_us=values["duration_us"],
        first_byte_us=values["first_byte_us"],
        request_bytes=values["request_bytes"],
        response_bytes=values["response_bytes"],
        saved=values["saved_pico"],
    )
    return StoredEntry(entry, values["project_name"], values["key_name"])


def _attempt(stored: dict[str, Any]) -> Attempt:
    return Attempt(**stored | {"usage_source": UsageSource(stored.get("usage_source", UsageSource.NONE))})
