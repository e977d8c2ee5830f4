"""SQL of the one request that goes on with a conversation at a time."""

from datetime import timedelta

from sqlalchemy import func, or_, select, update

from tollway.data.schema.conversation import Conversation
from tollway.data.session import WriteSession

_FREE = {"lock_id": None, "lock_worker_id": None, "locked_until": None}


async def take(
    session: WriteSession, project_id: str, conversation_id: str, *, lock_id: str, worker_id: str, lifetime_s: float
) -> bool:
    """Lock a conversation that is there and that nobody goes on with; whether it is ours now."""
    statement = (
        update(Conversation)
        .where(
            Conversation.project_id == project_id,
            Conversation.id == conversation_id,
            Conversation.expires_at > func.now(),
            or_(Conversation.locked_until.is_(None), Conversation.locked_until <= func.now()),
        )
        .values(lock_id=lock_id, lock_worker_id=worker_id, locked_until=func.now() + timedelta(seconds=lifetime_s))
        .returning(Conversation.id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def is_taken(session: WriteSession, project_id: str, conversation_id: str) -> bool:
    """Whether somebody goes on with a conversation; nobody begins to before the transaction ends."""
    statement = (
        select(Conversation.locked_until > func.now())
        .where(Conversation.project_id == project_id, Conversation.id == conversation_id)
        .with_for_update()
    )
    return bool((await session.execute(statement)).scalar_one_or_none())


async def free(session: WriteSession, project_id: str, conversation_id: str, lock_id: str) -> None:
    """Give it back, if this request still has it."""
    await session.execute(
        update(Conversation)
        .where(
            Conversation.project_id == project_id,
            Conversation.id == conversation_id,
            Conversation.lock_id == lock_id,
        )
        .values(**_FREE)
    )


async def free_of_worker(session: WriteSession, worker_id: str) -> None:
    """Give back what requests of a worker had that is gone."""
    await session.execute(update(Conversation).where(Conversation.lock_worker_id == worker_id).values(**_FREE))
