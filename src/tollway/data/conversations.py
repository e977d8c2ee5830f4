"""SQL of conversations: every statement names the project, so that another one's conversation is not there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.engine import CursorResult

from tollway.data.schema.conversation import Conversation, ConversationItem
from tollway.data.session import AnySession, WriteSession


class ConversationRow(msgspec.Struct, frozen=True):
    """One conversation; see `tollway.data.schema.conversation.Conversation`."""

    project_id: str
    id: str
    organization_id: str
    metadata_json: bytes
    created_at: datetime
    expires_at: datetime


class ItemRow(msgspec.Struct, frozen=True):
    """One item. Attributes: content: sealed."""

    position: int
    id: str
    content: bytes


_FIELDS = ConversationRow.__struct_fields__
_PURGE = text("""
    WITH old AS (
        SELECT project_id, id FROM conversation WHERE expires_at < now()
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM conversation AS c USING old WHERE (c.project_id, c.id) = (old.project_id, old.id))
    SELECT count(*) FROM old
""")


def _of(project_id: str, conversation_id: str) -> Any:
    return (Conversation.project_id == project_id) & (Conversation.id == conversation_id)


def _items_of(project_id: str, conversation_id: str) -> Any:
    return (ConversationItem.project_id == project_id) & (ConversationItem.conversation_id == conversation_id)


async def create(session: WriteSession, row: ConversationRow) -> None:
    """Insert a conversation."""
    await session.execute(insert(Conversation).values(**{name: getattr(row, name) for name in _FIELDS}))


async def find(session: AnySession, project_id: str, conversation_id: str) -> ConversationRow | None:
    """The conversation, if it is kept."""
    statement = select(*(getattr(Conversation, name) for name in _FIELDS)).where(
        _of(project_id, conversation_id), Conversation.expires_at > func.now()
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else ConversationRow(*row)


async def set_metadata(session: WriteSession, project_id: str, conversation_id: str, metadata_json: bytes) -> bool:
    """Replace the metadata; whether the conversation is there."""
    statement = update(Conversation).where(_of(project_id, conversation_id)).values(metadata_json=metadata_json)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def remove(session: WriteSession, project_id: str, conversation_id: str) -> bool:
    """Delete a conversation with its items; whether it was there."""
    statement = delete(Conversation).where(_of(project_id, conversation_id))
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1


async def reserve(
    session: WriteSession, project_id: str, conversation_id: str, *, count: int, expires_at: datetime
) -> int | None:
    """Make room for so many items, and keep the conversation until then; the position of the first one.

    Returns:
        ``None`` if there is no such conversation. Others that append wait until the transaction ends.
    """
    statement = (
        update(Conversation)
        .where(_of(project_id, conversation_id))
        .values(next_position=Conversation.next_position + count, expires_at=expires_at)
        .returning(Conversation.next_position)
    )
    after = (await session.execute(statement)).scalar_one_or_none()
    return None if after is None else after - count


async def add_items(session: WriteSession, project_id: str, conversation_id: str, items: Sequence[ItemRow]) -> None:
    """Insert items at their positions, which `reserve` gave."""
    rows = [
        {
            "project_id": project_id,
            "conversation_id": conversation_id,
            "position": item.position,
            "id": item.id,
            "content": item.content,
        }
        for item in items
    ]
    if rows:
        await session.execute(insert(ConversationItem), rows)


async def items(
    session: AnySession,
    project_id: str,
    conversation_id: str,
    *,
    limit: int,
    after: int | None = None,
    newest_first: bool = False,
) -> list[ItemRow]:
    """Items in their order, or the other way round, behind a position."""
    position = ConversationItem.position
    statement = select(position, ConversationItem.id, ConversationItem.content).where(
        _items_of(project_id, conversation_id)
    )
    if after is not None:
        statement = statement.where(position < after if newest_first else position > after)
    statement = statement.order_by(position.desc() if newest_first else position).limit(limit)
    return [ItemRow(*row) for row in await session.execute(statement)]


async def size(session: AnySession, project_id: str, conversation_id: str) -> tuple[int, int]:
    """How many items there are, and how many bytes."""
    statement = select(func.count(), func.coalesce(func.sum(func.octet_length(ConversationItem.content)), 0)).where(
        _items_of(project_id, conversation_id)
    )
    count, size_bytes = (await session.execute(statement)).one()
    return int(count), int(size_bytes)


async def find_item(session: AnySession, project_id: str, conversation_id: str, item_id: str) -> ItemRow | None:
    """The item; the latest one of this id."""
    statement = (
        select(ConversationItem.position, ConversationItem.id, ConversationItem.content)
        .where(_items_of(project_id, conversation_id), ConversationItem.id == item_id)
        .order_by(ConversationItem.position.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else ItemRow(*row)


async def remove_item(session: WriteSession, project_id: str, conversation_id: str, item_id: str) -> bool:
    """Delete an item; whether it was there."""
    statement = delete(ConversationItem).where(_items_of(project_id, conversation_id), ConversationItem.id == item_id)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount > 0


async def purge(session: WriteSession, *, limit: int) -> int:
    """Delete conversations whose time is over, with their items; returns how many."""
    return int((await session.execute(_PURGE, {"limit": limit})).scalar_one())
