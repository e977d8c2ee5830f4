"""Turn a violated constraint into the fault it stands for."""

from collections.abc import Mapping

from sqlalchemy.exc import IntegrityError

from tollway.data.session import WriteSession
from tollway.errors import TollwayError


async def flush(session: WriteSession, faults: Mapping[str, TollwayError]) -> None:
    """Send pending changes to the database.

    Args:
        session: within a transaction, which is lost if a constraint is violated.
        faults: name of a constraint → what to raise when it is violated. Any other one is a defect of ours.
    """
    try:
        await session.flush()
    except IntegrityError as error:
        name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        fault = faults.get(name or "")
        if fault is None:
            raise
        raise fault from error
