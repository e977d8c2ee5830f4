"""SQL of the events of responses that are streamed while they run in the background."""

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from tollway.data.schema.response_event import ResponseEvents
from tollway.data.session import AnySession, WriteSession


class EventRow(msgspec.Struct, frozen=True):
    """Some events in a row. Attributes: content: sealed."""

    first_number: int
    last_number: int
    content: bytes


async def save(session: WriteSession, project_id: str, response_id: str, row: EventRow) -> None:
    """Store events; those that follow the same ones take their place, as a write whose end is not known is repeated."""
    values = {"last_number": row.last_number, "content": row.content}
    statement = insert(ResponseEvents).values(
        project_id=project_id, response_id=response_id, first_number=row.first_number, **values
    )
    await session.execute(
        statement.on_conflict_do_update(index_elements=["project_id", "response_id", "first_number"], set_=values)
    )


async def read(session: AnySession, project_id: str, response_id: str, *, number: int, limit: int) -> list[EventRow]:
    """The first rows in which there are events from a number on."""
    statement = (
        select(ResponseEvents.first_number, ResponseEvents.last_number, ResponseEvents.content)
        .where(
            ResponseEvents.project_id == project_id,
            ResponseEvents.response_id == response_id,
            ResponseEvents.last_number >= number,
        )
        .order_by(ResponseEvents.first_number)
        .limit(limit)
    )
    return [EventRow(*row) for row in await session.execute(statement)]
