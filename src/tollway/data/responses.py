"""SQL of responses: every statement names the project, so that another one's response is not there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult

from tollway.data.schema.response import StoredResponse
from tollway.data.session import AnySession, WriteSession

RUNNING = "in_progress"


class ResponseRow(msgspec.Struct, frozen=True, kw_only=True):
    """One response; see `tollway.data.schema.response.StoredResponse`."""

    organization_id: str
    project_id: str
    id: str
    key_id: str
    status: str
    outline: bytes
    created_at: datetime
    expires_at: datetime
    previous_id: str | None = None
    conversation_id: str | None = None
    fault: str | None = None
    background: bool = False
    worker_id: str | None = None
    item_ids: tuple[str, ...] = ()
    content: bytes | None = None
    ended_at: datetime | None = None


class Link(msgspec.Struct, frozen=True):
    """One response of a chain. Attributes: content: sealed, ``None`` if only metadata is kept."""

    id: str
    previous_id: str | None
    conversation_id: str | None
    status: str
    content: bytes | None


_FIELDS = ResponseRow.__struct_fields__

# The walk stops behind the link with which the bytes are too many; the caller sees that by their sum.
_CHAIN = text("""
    WITH RECURSIVE chain AS (
        SELECT id, previous_id, conversation_id, status, content, 1 AS depth,
            coalesce(octet_length(content), 0)::bigint AS bytes
        FROM response WHERE project_id = :project_id AND id = :id AND expires_at > now()
        UNION ALL
        SELECT r.id, r.previous_id, r.conversation_id, r.status, r.content, chain.depth + 1,
            chain.bytes + coalesce(octet_length(r.content), 0)
        FROM chain JOIN response AS r ON r.project_id = :project_id AND r.id = chain.previous_id
        WHERE chain.depth < :links_max AND chain.bytes <= :bytes_max
    )
    SELECT id, previous_id, conversation_id, status, content FROM chain ORDER BY depth DESC
""")
_WITH_ITEMS = text("""
    SELECT id, previous_id, conversation_id, status, content FROM (
        SELECT *, sum(coalesce(octet_length(content), 0)) OVER (ORDER BY created_at, id) AS bytes
        FROM response
        WHERE project_id = :project_id AND item_ids && CAST(:item_ids AS text[]) AND expires_at > now()
        ORDER BY created_at, id LIMIT 100
    ) AS found WHERE bytes <= :bytes_max ORDER BY created_at, id
""")
_FAIL_OF_WORKER = text("""
    UPDATE response SET status = 'failed', fault = :fault, worker_id = NULL, ended_at = now()
    WHERE worker_id = :worker_id AND status = 'in_progress'
""")
_PURGE = text("""
    WITH old AS (
        SELECT project_id, id FROM response AS r
        WHERE expires_at < now() AND NOT EXISTS (
            SELECT FROM response AS next WHERE next.project_id = r.project_id AND next.previous_id = r.id
        )
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM response AS r USING old WHERE (r.project_id, r.id) = (old.project_id, old.id))
    SELECT count(*) FROM old
""")


async def save(session: WriteSession, row: ResponseRow) -> bool:
    """Insert a response; ``False`` if there is one of this id already."""
    values = {name: getattr(row, name) for name in _FIELDS} | {"item_ids": list(row.item_ids)}
    statement = insert(StoredResponse).values(**values).on_conflict_do_nothing().returning(StoredResponse.id)
    return (await session.execute(statement)).one_or_none() is not None


async def end(session: WriteSession, row: ResponseRow) -> bool:
    """Store how a response in the background ended; ``False`` if it is not running any more, or is gone."""
    statement = (
        update(StoredResponse)
        .where(
            StoredResponse.project_id == row.project_id, StoredResponse.id == row.id, StoredResponse.status == RUNNING
        )
        .values(
            status=row.status,
            outline=row.outline,
            content=row.content,
            item_ids=list(row.item_ids),
            worker_id=None,
            ended_at=func.now(),
        )
    )
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def find(session: AnySession, project_id: str, response_id: str) -> ResponseRow | None:
    """The response, if it is kept."""
    statement = select(*(getattr(StoredResponse, name) for name in _FIELDS)).where(
        StoredResponse.project_id == project_id,
        StoredResponse.id == response_id,
        StoredResponse.expires_at > func.now(),
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else ResponseRow(**dict(zip(_FIELDS, row, strict=True)))


async def status(session: AnySession, project_id: str, response_id: str) -> str | None:
    """Its state; ``None`` if it is not kept."""
    statement = select(StoredResponse.status).where(
        StoredResponse.project_id == project_id,
        StoredResponse.id == response_id,
        StoredResponse.expires_at > func.now(),
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def chain(
    session: AnySession, project_id: str, response_id: str, *, links_max: int, bytes_max: int
) -> list[Link]:
    """The response and those it goes on with, the first one first; none if it is not kept.

    Earlier ones count also where their time is over: they are kept as long as something goes on with them.
    """
    values = {"project_id": project_id, "id": response_id, "links_max": links_max, "bytes_max": bytes_max}
    return [Link(*row) for row in await session.execute(_CHAIN, values)]


async def with_items(session: AnySession, project_id: str, item_ids: Sequence[str], *, bytes_max: int) -> list[Link]:
    """The responses in which these items are: the first ones, as many as have at most `bytes_max` together."""
    values = {"project_id": project_id, "item_ids": list(item_ids), "bytes_max": bytes_max}
    return [Link(*row) for row in await session.execute(_WITH_ITEMS, values)]


async def remove(session: WriteSession, project_id: str, response_id: str) -> bool:
    """Delete a response; whether it was there."""
    statement = delete(StoredResponse).where(StoredResponse.project_id == project_id, StoredResponse.id == response_id)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def cancel(session: WriteSession, project_id: str, response_id: str) -> bool:
    """Mark a response in the background as cancelled; ``False`` if it does not run."""
    statement = (
        update(StoredResponse)
        .where(
            StoredResponse.project_id == project_id,
            StoredResponse.id == response_id,
            StoredResponse.background,
            StoredResponse.status == RUNNING,
        )
        .values(status="cancelled", worker_id=None, ended_at=func.now())
    )
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def running_of(session: AnySession, worker_id: str) -> set[tuple[str, str]]:
    """Project and id of what runs in a worker."""
    statement = select(StoredResponse.project_id, StoredResponse.id).where(
        StoredResponse.worker_id == worker_id, StoredResponse.status == RUNNING
    )
    return {(project_id, id_) for project_id, id_ in await session.execute(statement)}


async def fail_of_worker(session: WriteSession, worker_id: str, fault: str) -> None:
    """Mark what ran in a worker that is gone as failed."""
    await session.execute(_FAIL_OF_WORKER, {"worker_id": worker_id, "fault": fault})


async def purge(session: WriteSession, *, limit: int) -> int:
    """Delete responses whose time is over and that nothing goes on with; returns how many."""
    return int((await session.execute(_PURGE, {"limit": limit})).scalar_one())
