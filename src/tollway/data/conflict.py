"""Turn a violated constraint into the conflict it stands for."""

from collections.abc import Mapping

from sqlalchemy.exc import IntegrityError

from tollway.data.session import WriteSession
from tollway.errors import ConflictError


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
