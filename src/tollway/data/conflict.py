"""Turn a violated constraint into the conflict it stands for."""

from collections.abc import Mapping
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from tollway.data.schema.base import Base
from tollway.data.session import WriteSession
from tollway.errors import ConflictError

Row = TypeVar("Row", bound=Base)


async def stored(session: WriteSession, row: Row, conflicts: Mapping[str, tuple[str, str]]) -> Row:
    """Insert or update a row; with what the database has added. Raises as `flush`."""
    session.add(row)
    await flush(session, conflicts)
    await session.refresh(row)
    return row


async def flush(session: WriteSession, conflicts: Mapping[str, tuple[str, str]]) -> None:
    """Send pending changes to the database.

    Args:
        session: within a transaction, which is lost if a constraint is violated.
        conflicts: name of a constraint → what happened when it is violated, and the next step. Any other violation
            is a defect of ours.

    Raises:
        ConflictError: one of the constraints is violated.
    """
    try:
        await session.flush()
    except IntegrityError as error:
        name = str(getattr(getattr(error.orig, "diag", None), "constraint_name", ""))
        if name not in conflicts:
            raise
        message, next_step = conflicts[name]
        raise ConflictError(message, next_step=next_step) from error
