"""Give up a worker whose machine, and with it its journal, is lost."""

from tollway.data import worker_list
from tollway.data.audit_events import Action, Event, raise_events
from tollway.data.session import Database
from tollway.data.settlements import release
from tollway.errors import ConflictError, NotFoundError
from tollway.identity.principal import Principal


class WorkerGiveUp:
    """Returns what a lost worker had leased, on an operator's word."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give_up(self, worker_id: str, *, caller: Principal) -> None:
        """Return its leases to their windows. What its journal held and the ledger lacks counts nowhere any more.

        Raises:
            NotFoundError: there is none, or it was released already.
            ConflictError: it is alive: it would spend what others are given.
        """
        async with self._database.write() as session, session.begin():
            alive = await worker_list.lock(session, worker_id)
            if alive is None:
                raise NotFoundError("There is no worker of this id.", next_step="List them at /api/v1/workers.")
            if alive:
                raise ConflictError(
                    "The worker was seen a moment ago.", next_step="Stop it; it then gives back by itself."
                )
            leases = await release(session, worker_id)
            event = Event(
                organization_id=caller.organization_id,
                action=Action.WORKER_RELEASED,
                subject=worker_id,
                detail={"leases": leases},
                actor_key_id=caller.key_id,
            )
            await raise_events(session, [event])
