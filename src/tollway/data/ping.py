"""The least a database can answer."""

from sqlalchemy import select

from tollway.data.session import ReadSession


async def ping(session: ReadSession) -> None:
    """Return if it answers."""
    await session.execute(select(1))
