"""SQL of files and batches at providers: every statement names the project, so that another one's is not there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import ARRAY, Text, any_, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult

from tollway.data.schema.provider_object import ProviderObject
from tollway.data.session import AnySession, WriteSession

FILE, BATCH = "file", "batch"


class ObjectRow(msgspec.Struct, frozen=True, kw_only=True):
    """One object; see `tollway.data.schema.provider_object.ProviderObject`."""

    project_id: str
    id: str
    kind: str
    organization_id: str
    provider_id: str
    key_id: str
    created_at: datetime
    purpose: str | None = None
    batch_id: str | None = None
    looked_through: bool = False
    told: bytes | None = None
    metered_at: datetime | None = None


_FIELDS = ObjectRow.__struct_fields__
_COLUMNS = [getattr(ProviderObject, name) for name in _FIELDS]
_TOLD_LATER = ("told", "batch_id")


def _of(project_id: str, object_id: str) -> Any:
    return (ProviderObject.project_id == project_id) & (ProviderObject.id == object_id)


async def save(session: WriteSession, row: ObjectRow) -> None:
    """Insert an object; of one that is there already, keep what is said of it now."""
    statement = insert(ProviderObject).values(**{name: getattr(row, name) for name in _FIELDS})
    news = {name: func.coalesce(statement.excluded[name], getattr(ProviderObject, name)) for name in _TOLD_LATER}
    news["purpose"] = func.coalesce(ProviderObject.purpose, statement.excluded["purpose"])  # as it was uploaded for
    await session.execute(statement.on_conflict_do_update(index_elements=["project_id", "id"], set_=news))


async def find(session: AnySession, project_id: str, kind: str, object_id: str) -> ObjectRow | None:
    """The object, if the project has it."""
    statement = select(*_COLUMNS).where(_of(project_id, object_id), ProviderObject.kind == kind)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else ObjectRow(**dict(zip(_FIELDS, row, strict=True)))


async def places(session: AnySession, project_id: str, file_ids: Iterable[str]) -> dict[str, str]:
    """Id → the provider that keeps it, of those of the files that the project has."""
    array = literal([*file_ids], ARRAY(Text))
    statement = select(ProviderObject.id, ProviderObject.provider_id).where(
        ProviderObject.project_id == project_id, ProviderObject.kind == FILE, ProviderObject.id == any_(array)
    )
    return {row.id: row.provider_id for row in await session.execute(statement)}


async def page(
    session: AnySession,
    project_id: str,
    kind: str,
    *,
    limit: int,
    after: ObjectRow | None = None,
    ascending: bool = False,
    purpose: str | None = None,
) -> Sequence[ObjectRow]:
    """Objects of a project by the time they were made, the newest first unless `ascending`."""
    key = tuple_(ProviderObject.created_at, ProviderObject.id)
    statement = select(*_COLUMNS).where(ProviderObject.project_id == project_id, ProviderObject.kind == kind)
    if purpose is not None:
        statement = statement.where(ProviderObject.purpose == purpose)
    if after is not None:
        place = tuple_(after.created_at, after.id)
        statement = statement.where(key > place if ascending else key < place)
    columns = (ProviderObject.created_at, ProviderObject.id)
    order = columns if ascending else tuple(column.desc() for column in columns)
    rows = await session.execute(statement.order_by(*order).limit(limit))
    return [ObjectRow(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


async def remove(session: WriteSession, project_id: str, object_id: str) -> bool:
    """Forget an object; whether it was there."""
    statement = delete(ProviderObject).where(_of(project_id, object_id))
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def set_metered(session: WriteSession, project_id: str, object_id: str) -> None:
    """Note that the results in a file are in the ledger."""
    statement = update(ProviderObject).where(_of(project_id, object_id)).values(metered_at=func.now())
    await session.execute(statement)
